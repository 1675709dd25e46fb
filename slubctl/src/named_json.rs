//! How a snapshot's numbers are written as JSON: with names, and null for no limit. Files of older versions have arrays and numbers
//! there, and are read as well.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::snapshot::Class;
use crate::view::NUMASTAT_NAMES;

/// Kinds of pageblocks by the library's number: those for anything, of slabs, and of large blocks.
const KINDS: [&str; 3] = ["movable", "unmovable", "reclaimable"];

/// Names of a list's values; what has none is called by its number.
fn named<T: Serialize>(values: &[T], names: &[&str]) -> Map<String, Value> {
    let entry = |(index, value): (usize, &T)| {
        let name = names.get(index).map(|it| (*it).to_owned());
        let name = name.unwrap_or_else(|| index.to_string());
        (name, serde_json::to_value(value).unwrap_or_default())
    };
    values.iter().enumerate().map(entry).collect()
}

/// The list that [`named`] was made of.
fn unnamed<'d, T, D>(source: D, names: &[&str]) -> Result<Vec<T>, D::Error>
where
    T: for<'t> Deserialize<'t> + Default + Clone,
    D: Deserializer<'d>,
{
    let failed = |error: serde_json::Error| serde::de::Error::custom(error);
    let map = match Value::deserialize(source)? {
        Value::Object(map) => map,
        list => return serde_json::from_value(list).map_err(failed),
    };
    let mut values = Vec::new();
    for (name, value) in map {
        let known = names.iter().position(|it| *it == name);
        let index = known.or_else(|| name.parse().ok()).filter(|it| *it < 64);
        let Some(index) = index else { continue };
        values.resize(values.len().max(index + 1), T::default());
        values[index] = serde_json::from_value(value).map_err(failed)?;
    }
    Ok(values)
}

/// A module for serde of a list with names.
macro_rules! with_names {
    ($module:ident, $value:ty, $names:expr) => {
        pub(crate) mod $module {
            use super::*;

            pub(crate) fn serialize<S: Serializer>(
                values: &[$value],
                target: S,
            ) -> Result<S::Ok, S::Error> {
                named(values, &$names).serialize(target)
            }

            pub(crate) fn deserialize<'d, D: Deserializer<'d>>(
                source: D,
            ) -> Result<Vec<$value>, D::Error> {
                unnamed(source, &$names)
            }
        }
    };
}

with_names!(numastat, u64, NUMASTAT_NAMES);
with_names!(kinds, u64, KINDS);
with_names!(blocks_by_kind, Vec<u64>, KINDS);

/// A limit, null if there is none.
pub(crate) mod limit {
    use super::*;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
    pub(crate) fn serialize<S: Serializer>(limit: &u64, target: S) -> Result<S::Ok, S::Error> {
        Some(*limit).filter(|it| *it != u64::MAX).serialize(target)
    }

    pub(crate) fn deserialize<'d, D: Deserializer<'d>>(source: D) -> Result<u64, D::Error> {
        Ok(Option::deserialize(source)?.unwrap_or(u64::MAX))
    }
}

/// Classes that are one; those that are none lie between them.
pub(crate) mod classes {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(all: &[Class], target: S) -> Result<S::Ok, S::Error> {
        target.collect_seq(all.iter().filter(|it| it.size > 0))
    }

    pub(crate) fn deserialize<'d, D: Deserializer<'d>>(source: D) -> Result<Vec<Class>, D::Error> {
        let mut all: Vec<Class> = Vec::deserialize(source)?;
        // Files of older versions have the first, which is none, and no numbers.
        if all.first().is_some_and(|it| it.size > 0) {
            all.insert(0, Class::default());
        }
        Ok(all)
    }
}

/// Numbers of objects by class.
pub(crate) mod counts {
    use super::*;

    #[derive(Deserialize, Serialize)]
    struct Count {
        class: u64,
        objects: u64,
    }

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Named(Count),
        Pair(u64, u64),
    }

    pub(crate) fn serialize<S: Serializer>(
        counts: &[(u64, u64)],
        target: S,
    ) -> Result<S::Ok, S::Error> {
        let count = |(class, objects): &(u64, u64)| Count {
            class: *class,
            objects: *objects,
        };
        target.collect_seq(counts.iter().map(count))
    }

    pub(crate) fn deserialize<'d, D: Deserializer<'d>>(
        source: D,
    ) -> Result<Vec<(u64, u64)>, D::Error> {
        let count = |it| match it {
            Either::Named(it) => (it.class, it.objects),
            Either::Pair(class, objects) => (class, objects),
        };
        let counts: Vec<Either> = Vec::deserialize(source)?;
        Ok(counts.into_iter().map(count).collect())
    }
}
