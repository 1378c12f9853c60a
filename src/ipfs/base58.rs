//! Base58, the alphabet of CIDv0: digits and letters without those that look alike.
//!
//! A byte string is one big number written in base 58, its leading zero bytes written as leading
//! `1`s. Converting takes quadratic time, which the cap on the length of an id keeps small.
//!
//! Source: draft-msporny-base58, sections 3 and 4, with the Bitcoin alphabet.

const ALPHABET: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

pub(super) fn encode(bytes: &[u8]) -> String {
    let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
    let digits = convert::<256, 58>(bytes.iter().skip(zeros).copied());
    let ones = std::iter::repeat_n(b'1', zeros);
    let rest = digits.iter().rev().map(|&digit| ALPHABET[usize::from(digit)]);
    ones.chain(rest).map(char::from).collect()
}

/// The bytes `text` stands for; `None` when it holds a foreign character.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let digit = |character: u8| ALPHABET.iter().position(|&known| known == character);
    let zeros = text.bytes().take_while(|&character| character == b'1').count();
    let digits: Option<Vec<u8>> =
        text.bytes().skip(zeros).map(|character| u8::try_from(digit(character)?).ok()).collect();
    let bytes = convert::<58, 256>(digits?.into_iter());
    Some(std::iter::repeat_n(0, zeros).chain(bytes.into_iter().rev()).collect())
}

/// Turns digits of base `FROM`, most significant first, into digits of base `TO`, least first.
fn convert<const FROM: u32, const TO: u32>(digits: impl Iterator<Item = u8>) -> Vec<u8> {
    let mut number: Vec<u8> = Vec::new();
    for digit in digits {
        let mut carry = u32::from(digit);
        for place in &mut number {
            carry += u32::from(*place) * FROM;
            *place = low::<TO>(carry);
            carry /= TO;
        }
        while carry > 0 {
            number.push(low::<TO>(carry));
            carry /= TO;
        }
    }
    number
}

/// The last digit of `number` in base `TO`, which is at most 256.
fn low<const TO: u32>(number: u32) -> u8 {
    (number % TO).to_le_bytes()[0]
}
