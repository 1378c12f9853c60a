//! Numbers as ids, blocks and archives write them: seven bits a byte, low ones first, and no more
//! bytes than needed.
//!
//! Source: multiformats/unsigned-varint, which caps a number at nine bytes; and Protocol Buffers,
//! "Base 128 varints", where ten bytes carry all 64 bits.

/// Takes one number of at most 63 bits off the front of `rest`.
///
/// # Errors
///
/// What is wrong with it, in a few words.
pub(super) fn take(rest: &mut &[u8]) -> Result<u64, &'static str> {
    take_of(rest, 9)
}

/// Takes one number of at most 64 bits off the front of `rest`.
///
/// # Errors
///
/// What is wrong with it, in a few words.
pub(super) fn take_long(rest: &mut &[u8]) -> Result<u64, &'static str> {
    take_of(rest, 10)
}

fn take_of(rest: &mut &[u8], most: usize) -> Result<u64, &'static str> {
    let mut number = 0;
    for (place, &byte) in rest.iter().take(most).enumerate() {
        if place == 9 && byte > 1 {
            return Err("a number has more than 64 bits");
        }
        number |= u64::from(byte & 0x7F) << (7 * place);
        if byte < 0x80 {
            if byte == 0 && place > 0 {
                return Err("a number is padded");
            }
            *rest = rest.get(place + 1..).unwrap_or_default();
            return Ok(number);
        }
    }
    Err("a number does not end")
}

/// Appends `number`.
pub(super) fn push(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
}

/// How many bytes [`push`] appends.
pub(super) fn len(number: u64) -> usize {
    let bits = 64 - number.leading_zeros().min(63);
    usize::try_from(bits.div_ceil(7)).unwrap_or(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_back_and_have_the_length_they_say() {
        for shift in 0..64 {
            for number in [1_u64 << shift, (1_u64 << shift) - 1, u64::MAX >> shift] {
                let mut bytes = Vec::new();
                push(&mut bytes, number);
                assert_eq!(bytes.len(), len(number), "{number}");
                let mut rest = bytes.as_slice();
                assert_eq!(take_long(&mut rest), Ok(number));
                assert!(rest.is_empty());
                assert_eq!(take(&mut bytes.as_slice()).is_ok(), number < 1 << 63, "{number}");
            }
        }
    }

    #[test]
    fn padded_endless_and_too_large_numbers_are_refused() {
        for (bytes, why) in [
            (&[0x80, 0x00][..], "a number is padded"),
            (&[0x80], "a number does not end"),
            (&[], "a number does not end"),
            (&[0xFF; 11], "a number has more than 64 bits"),
            (
                &[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 2],
                "a number has more than 64 bits",
            ),
        ] {
            assert_eq!(take_long(&mut &*bytes), Err(why), "{bytes:x?}");
        }
    }
}
