//! The shell's variables: scalars and arrays, what is exported, and what functions keep to themselves.

use crate::sorted::Map as BTreeMap;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Scalar(String),
    Indexed(BTreeMap<i64, String>),
    Keyed(BTreeMap<String, String>),
}

impl Value {
    /// How many bytes the value holds.
    fn size(&self) -> i64 {
        let size = match self {
            Value::Scalar(text) => text.len(),
            Value::Indexed(map) => map.values().map(|v| v.len() + 16).sum(),
            Value::Keyed(map) => map.iter().map(|(k, v)| k.len() + v.len() + 16).sum(),
        };
        size as i64
    }

    /// The value without an index: of an array, element 0.
    pub fn scalar(&self) -> Option<&str> {
        match self {
            Value::Scalar(text) => Some(text),
            Value::Indexed(map) => map.get(&0).map(String::as_str),
            Value::Keyed(map) => map.get("0").map(String::as_str),
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variable {
    /// `None`: known (exported, local) but not set.
    pub value: Option<Value>,
    pub exported: bool,
    pub readonly: bool,
    pub integer: bool,
    pub lower: bool,
    pub upper: bool,
    pub reference: bool,
}

/// A variable could not be changed because it is read-only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadOnly(pub String);

#[derive(Clone, Debug, Default)]
pub struct Variables {
    all: BTreeMap<String, Variable>,
    /// For each function that runs: what its local variables hide.
    hidden: Vec<BTreeMap<String, Option<Variable>>>,
    /// By how much the bytes held have changed since this was last asked.
    growth: i64,
}

impl Variables {
    pub fn find(&self, name: &str) -> Option<&Variable> {
        let mut found = self.all.get(name)?;
        for _ in 0..8 {
            match (found.reference, found.value.as_ref().and_then(Value::scalar)) {
                (true, Some(target)) => found = self.all.get(target)?,
                _ => break,
            }
        }
        Some(found)
    }

    /// The name that a reference (`declare -n`) stands for, else the name itself.
    pub fn resolve(&self, name: &str) -> String {
        let mut name = name.to_string();
        for _ in 0..8 {
            match self.all.get(&name) {
                Some(v) if v.reference => match v.value.as_ref().and_then(Value::scalar) {
                    Some(target) => name = target.to_string(),
                    None => break,
                },
                _ => break,
            }
        }
        name
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.find(name)?.value.as_ref()?.scalar()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&String, &Variable)> {
        self.all.iter()
    }

    /// The variable, made if need be; its value must be changed with [`Variables::set_value`].
    pub fn entry(&mut self, name: &str) -> &mut Variable {
        self.all.entry(name.to_string()).or_default()
    }

    pub fn set(&mut self, name: &str, text: impl Into<String>) -> Result<(), ReadOnly> {
        let name = self.resolve(name);
        let text = text.into();
        let value = match self.all.get(&name).and_then(|v| v.value.as_ref()) {
            Some(Value::Indexed(map)) => {
                let mut map = map.clone();
                map.insert(0, text);
                Value::Indexed(map)
            }
            Some(Value::Keyed(map)) => {
                let mut map = map.clone();
                map.insert("0".to_string(), text);
                Value::Keyed(map)
            }
            _ => Value::Scalar(text),
        };
        self.set_value(&name, Some(value))
    }

    pub fn set_value(&mut self, name: &str, value: Option<Value>) -> Result<(), ReadOnly> {
        let name = self.resolve(name);
        let variable = self.all.entry(name.clone()).or_default();
        if variable.readonly {
            return Err(ReadOnly(name));
        }
        self.growth -= variable.value.as_ref().map_or(0, Value::size);
        self.growth += value.as_ref().map_or(0, Value::size);
        variable.value = value.map(|value| match value {
            Value::Scalar(text) if variable.lower => Value::Scalar(text.to_lowercase()),
            Value::Scalar(text) if variable.upper => Value::Scalar(text.to_uppercase()),
            value => value,
        });
        Ok(())
    }

    /// Sets one element of an array, which may have been a scalar before.
    pub fn set_element(&mut self, name: &str, key: &str, index: i64, text: String) -> Result<(), ReadOnly> {
        let name = self.resolve(name);
        let variable = self.all.entry(name.clone()).or_default();
        if variable.readonly {
            return Err(ReadOnly(name));
        }
        self.growth += text.len() as i64 + 16;
        match &mut variable.value {
            Some(Value::Keyed(map)) => {
                map.insert(key.to_string(), text);
            }
            Some(Value::Indexed(map)) => {
                map.insert(index, text);
            }
            other => {
                let mut map = BTreeMap::new();
                if let Some(Value::Scalar(before)) = other.take() {
                    map.insert(0, before);
                }
                map.insert(index, text);
                *other = Some(Value::Indexed(map));
            }
        }
        Ok(())
    }

    pub fn unset(&mut self, name: &str) -> Result<(), ReadOnly> {
        let name = self.resolve(name);
        if self.all.get(&name).is_some_and(|v| v.readonly) {
            return Err(ReadOnly(name));
        }
        if let Some(variable) = self.all.remove(&name) {
            self.growth -= variable.value.map_or(0, |v| v.size());
        }
        Ok(())
    }

    /// Puts a variable back as it was.
    pub fn restore(&mut self, name: &str, before: Option<Variable>) {
        match before {
            Some(variable) => self.all.insert(name.to_string(), variable),
            None => self.all.remove(name),
        };
    }

    pub fn take(&mut self, name: &str) -> Option<Variable> {
        self.all.get(name).cloned()
    }

    pub fn enter_function(&mut self) {
        self.hidden.push(BTreeMap::new());
    }

    pub fn leave_function(&mut self) {
        for (name, before) in self.hidden.pop().unwrap_or_default() {
            self.restore(&name, before);
        }
    }

    pub fn in_function(&self) -> bool {
        !self.hidden.is_empty()
    }

    /// Makes a variable the function's own. It keeps its value, as in ash, until it is set.
    pub fn make_local(&mut self, name: &str) {
        let before = self.all.get(name).cloned();
        if let Some(frame) = self.hidden.last_mut() {
            frame.entry(name.to_string()).or_insert(before);
        }
    }

    /// Whether the innermost function has this as its own.
    pub fn is_local(&self, name: &str) -> bool {
        self.hidden.last().is_some_and(|frame| frame.contains_key(name))
    }

    /// What a child process gets.
    pub fn environment(&self) -> Vec<(String, String)> {
        let exported = self.all.iter().filter(|(_, v)| v.exported);
        exported.filter_map(|(name, v)| Some((name.clone(), v.value.as_ref()?.scalar()?.to_string()))).collect()
    }

    pub fn take_growth(&mut self) -> i64 {
        std::mem::take(&mut self.growth)
    }
}
