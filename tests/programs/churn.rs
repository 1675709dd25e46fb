//! Enough generic code to keep a compiler busy.
use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Number(f64),
    Text(String),
    List(Vec<Value>),
    Map(BTreeMap<String, Value>),
}

pub trait Visit {
    fn visit<F: FnMut(&Value)>(&self, each: &mut F);
}

impl Visit for Value {
    fn visit<F: FnMut(&Value)>(&self, each: &mut F) {
        each(self);
        match self {
            Value::List(values) => values.iter().for_each(|value| value.visit(each)),
            Value::Map(entries) => entries.values().for_each(|value| value.visit(each)),
            _ => {}
        }
    }
}

pub fn depth(value: &Value) -> u64 {
    match value {
        Value::List(values) => 1 + values.iter().map(depth).max().unwrap_or(0),
        Value::Map(entries) => 1 + entries.values().map(depth).max().unwrap_or(0),
        _ => 1,
    }
}

pub fn count<K: Clone + Ord + Debug + std::hash::Hash, V: Debug>(pairs: &[(K, V)]) -> Vec<(K, usize)> {
    let mut counted: HashMap<K, usize> = HashMap::new();
    for (key, value) in pairs {
        *counted.entry(key.clone()).or_default() += format!("{value:?}").len();
    }
    let mut sorted: Vec<_> = counted.into_iter().collect();
    sorted.sort();
    sorted
}

pub fn use_them() -> Vec<(String, usize)> {
    let mut seen = Vec::new();
    let value = Value::List(vec![Value::Number(1.0), Value::Text("two".into()), Value::Map(BTreeMap::new())]);
    value.visit(&mut |value| seen.push((format!("{value:?}"), depth(value))));
    count(&seen)
}
