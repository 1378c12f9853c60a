//! Protobuf, read in the one canonical form: fields in ascending order, each at most once.

use super::super::error::IpfsError;
use super::super::varint;

/// A field of a message, by what it carries.
#[derive(Clone, Copy)]
pub(super) enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    Fixed32(u32),
}

impl<'a> Value<'a> {
    pub(super) fn number(self) -> Result<u64, IpfsError> {
        if let Self::Number(number) = self { Ok(number) } else { Err(WRONG_KIND) }
    }

    pub(super) fn bytes(self) -> Result<&'a [u8], IpfsError> {
        if let Self::Bytes(bytes) = self { Ok(bytes) } else { Err(WRONG_KIND) }
    }

    pub(super) fn fixed32(self) -> Result<u32, IpfsError> {
        if let Self::Fixed32(number) = self { Ok(number) } else { Err(WRONG_KIND) }
    }
}

const WRONG_KIND: IpfsError = IpfsError::block("a field is of the wrong kind");

/// The fields of a message, one by one.
pub(super) struct Fields<'a> {
    rest: &'a [u8],
    last: u64,
    /// The field that may come several times in a row.
    repeated: u64,
    /// The field that comes last, whatever its number is.
    last_of_all: u64,
}

impl<'a> Fields<'a> {
    pub(super) const fn new(message: &'a [u8], repeated: u64) -> Self {
        Self { rest: message, last: 0, repeated, last_of_all: 0 }
    }

    /// Those of dag-pb's outer message, where the data (1) follow the links (2).
    pub(super) const fn of_node(block: &'a [u8]) -> Self {
        Self { rest: block, last: 0, repeated: 2, last_of_all: 1 }
    }

    /// The next field's number and value; `None` at the end of the message.
    ///
    /// # Errors
    ///
    /// [`IpfsError::InvalidBlock`] when it is cut, out of order or given twice.
    pub(super) fn next(&mut self) -> Result<Option<(u64, Value<'a>)>, IpfsError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let tag = self.number()?;
        let field = tag >> 3;
        let rank = if field == self.last_of_all { u64::MAX } else { field };
        if rank < self.last {
            return Err(IpfsError::block("fields are out of order"));
        }
        if rank == self.last && field != self.repeated {
            return Err(IpfsError::block("a field is given twice"));
        }
        self.last = rank;
        let value = match tag & 7 {
            0 => Value::Number(self.number()?),
            2 => {
                let length = usize::try_from(self.number()?).unwrap_or(usize::MAX);
                Value::Bytes(self.bytes(length)?)
            }
            5 => {
                let bytes = self.bytes(4)?.try_into().unwrap_or_default();
                Value::Fixed32(u32::from_le_bytes(bytes))
            }
            _ => return Err(WRONG_KIND),
        };
        Ok(Some((field, value)))
    }

    fn number(&mut self) -> Result<u64, IpfsError> {
        varint::take_long(&mut self.rest).map_err(IpfsError::block)
    }

    fn bytes(&mut self, length: usize) -> Result<&'a [u8], IpfsError> {
        let split = self.rest.split_at_checked(length);
        let (bytes, rest) = split.ok_or(IpfsError::block("a field is cut short"))?;
        self.rest = rest;
        Ok(bytes)
    }
}
