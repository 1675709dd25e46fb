//! A profile as a file in pprof's format.

use std::collections::HashMap;
use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use flate2::Compression;
use flate2::write::GzEncoder;
use prost::Message;

use super::location::Location;
use super::symbols::{Names, call};
use super::traces::own_frames;
use super::{Profile, Values, pprof as proto};

/// Kinds of values and their units.
const TYPES: [(&str, &str); 4] = [
    ("alloc_objects", "count"),
    ("alloc_space", "bytes"),
    ("inuse_objects", "count"),
    ("inuse_space", "bytes"),
];
const PEAK_TYPES: [(&str, &str); 2] = [("peak_objects", "count"), ("peak_space", "bytes")];

/// The profile as a file of pprof's, compressed; the values are those that it shows first. Those of the peak are there if they
/// were asked for.
pub fn pprof(profile: &Profile, names: &Names, values: Values, comment: &str) -> Result<Vec<u8>> {
    let mut writer = Writer::default();
    writer.text("");
    writer.modules(profile);
    let mut types = TYPES.to_vec();
    let default = match values {
        Values::Live => "inuse_space",
        Values::All => "alloc_space",
        Values::Peak => "peak_space",
    };
    if values == Values::Peak {
        types.extend(PEAK_TYPES);
    }
    let types = types.into_iter().map(|it| writer.value_type(it)).collect();
    writer.profile.sample_type = types;
    for stack in &profile.stacks {
        let frames = own_frames(profile, names, stack).iter();
        let location_id = frames
            .map(|it| writer.location(profile, names, *it))
            .collect();
        let mut value = Vec::new();
        for amount in [stack.all, stack.live, stack.peak] {
            value.extend([amount.count.round() as i64, bounded(amount.bytes)]);
        }
        value.truncate(writer.profile.sample_type.len());
        let label = stack.label.iter().map(|it| it.parts());
        let label = label.map(|(key, text)| proto::Label {
            key: writer.text(key),
            text: writer.text(text),
        });
        let label = label.collect();
        writer.profile.sample.push(proto::Sample {
            location_id,
            value,
            label,
        });
    }
    let comment = writer.text(comment);
    writer.profile.comment.push(comment);
    writer.profile.default_sample_type = writer.text(default);
    writer.profile.period_type = Some(writer.value_type(("space", "bytes")));
    writer.profile.period = bounded(profile.rate);
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    writer.profile.time_nanos = now.as_nanos() as i64;
    let on_for = profile.on_for_ms.unwrap_or_default();
    writer.profile.duration_nanos = bounded(on_for.saturating_mul(1_000_000));
    let mut file = GzEncoder::new(Vec::new(), Compression::default());
    file.write_all(&writer.profile.encode_to_vec())?;
    Ok(file.finish()?)
}

fn bounded(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A profile in the making: each text, function and address once.
#[derive(Default)]
struct Writer {
    profile: proto::Profile,
    texts: HashMap<String, i64>,
    functions: HashMap<(String, String), u64>,
    locations: HashMap<u64, u64>,
}

impl Writer {
    fn text(&mut self, text: &str) -> i64 {
        if let Some(index) = self.texts.get(text) {
            return *index;
        }
        let index = self.profile.string_table.len() as i64;
        self.profile.string_table.push(text.to_owned());
        self.texts.insert(text.to_owned(), index);
        index
    }

    fn value_type(&mut self, (kind, unit): (&str, &str)) -> proto::ValueType {
        proto::ValueType {
            kind: self.text(kind),
            unit: self.text(unit),
        }
    }

    fn modules(&mut self, profile: &Profile) {
        for (id, module) in (1..).zip(&profile.modules.all) {
            let filename = self.text(&module.name);
            let build_id = self.text(module.build_id.as_deref().unwrap_or_default());
            self.profile.mapping.push(proto::Mapping {
                id,
                memory_start: module.range.start,
                memory_limit: module.range.end,
                filename,
                build_id,
                ..proto::Mapping::default()
            });
        }
    }

    fn location(&mut self, profile: &Profile, names: &Names, address: u64) -> u64 {
        if let Some(id) = self.locations.get(&address) {
            return *id;
        }
        let lines = names.at(address);
        let module = profile.modules.find(call(address));
        if let Some(mapping) = module.and_then(|it| self.profile.mapping.get_mut(it)) {
            mapping.has_functions |= !lines.is_empty();
            mapping.has_filenames |= lines.iter().any(|it| !it.file.is_empty());
            mapping.has_line_numbers |= lines.iter().any(|it| it.line != 0);
            mapping.has_inline_frames |= lines.len() > 1;
        }
        let line = lines.iter().map(|it| proto::Line {
            function_id: self.function(it),
            line: it.line.into(),
        });
        let line = line.collect();
        let id = self.locations.len() as u64 + 1;
        self.locations.insert(address, id);
        self.profile.location.push(proto::Location {
            id,
            mapping_id: module.map_or(0, |it| it as u64 + 1),
            address: call(address),
            line,
        });
        id
    }

    fn function(&mut self, location: &Location) -> u64 {
        let key = (location.function.clone(), location.file.clone());
        if let Some(id) = self.functions.get(&key) {
            return *id;
        }
        let id = self.functions.len() as u64 + 1;
        let name = self.text(&location.function);
        let filename = self.text(&location.file);
        self.profile.function.push(proto::Function {
            id,
            name,
            system_name: name,
            filename,
        });
        self.functions.insert(key, id);
        id
    }
}
