//! Content ids and the cache, through their public face.
//!
//! The vectors come from `ipfs-unixfs-importer` 17, run over the same pattern of bytes; the parser
//! is compared with the `cid` crate.
#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::process::Command;
use std::thread;

use finalmile::ipfs::{
    Cache, Check, Cid, Codec, Importer, IpfsError, Kind, Multihash, Profile, cid_of, cid_of_bytes,
    cid_of_file,
};

const HELLO: &str = "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e";
const EMPTY_V0: &str = "QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH";
const EMPTY_V0_AS_V1: &str = "bafybeif7ztnhq65lumvvtr4ekcwd2ifwgm3awq4zfr3srh462rwyinlb4y";

/// Profile (v1: `unixfs-v1-2025`, v0: `unixfs-v0-2015`), length of the pattern, id.
const NAMED: &str = "
    v1 0 bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku
    v1 1 bafkreidogqfzz75tpkmjzjke425xqcrmpcib2p5tg44hnbirumdbpl5adu
    v1 11 bafkreiatkxzfxtv7mlyc5xb26oqu37fxpzaj5yj2g6ixzr2epg3dvnjh3m
    v1 262143 bafkreih2wtlmo64i345cd5tekxppqq5yh53tlowxdfyrhribgw3h262neu
    v1 262144 bafkreifruai7jbupz5e7nlana76boisqivfiesjk6qeod22wxv6rbymolq
    v1 262145 bafkreibz3d2qtzqtexosjrnvaruwywqa2jb5zgw267wikc3pz5dafa6qei
    v1 1048575 bafkreia34ljje5t3hdgz3i64pcsuby5ftdhym4gacirx4yzdv27sq35cte
    v1 1048576 bafkreifd6cdnwm6y2izhtuhyqdbgptjshwyvso4wbir3g6j7e3hpx5iffa
    v1 1048577 bafybeignt2ocbtaf4vzdhsjbgfr34rczj2jwn5rqguyimrgixajgffjrfa
    v1 2097152 bafybeihirfalpzjfwig67d5wvbbulmzr2fdvtrkllmovccnsof7tfec3iy
    v1 5242883 bafybeie7sr2t6jwrnej3kt6q5cat7d6267d2px7d5oyelf4aica4peh67u
    v0 0 QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH
    v0 1 QmS9JArPwa55ePgDnyg6TzX24mYTS1b1vLqWNebyVotKxQ
    v0 11 QmeQgnBKYtZccmP8MUAweze7tZndNo2J8YKvvqVCo9cnyo
    v0 262143 QmWrhMr2ezHVZ5ikXbAXUTfpzMMrvir85mC1EPuREVUHF8
    v0 262144 QmVwssxbD7qXmDP7iSkicicxA1BXqRMiAEUtWMHSTwHZwQ
    v0 262145 Qmaq6BTRta2uaBdUvDA4u1za9vNz6jLuJKRHe4pvmCDaop
    v0 1048575 QmTwosZRB1k1mRL5W1RAiAKD3C4TVRBvUUGMnqqUNa9gpC
    v0 1048576 QmUf9QwiqaychTtp55epZCLk9nDj1dE57tNgEgbmETdoij
    v0 1048577 QmQuBr2V6oNjTQQPZ1wsG1kHWjTqyqgMfknwzxJWUm6Kz6
    v0 45613055 Qmd6pSrjpUVp6dsGnKUqozxTrcCxkxCkW5LfoWj1duMyAY
    v0 45613056 Qmao2ysNhRJ1sFbHseaJbjyKMonQTn66GKvs8eMkkTweXL
    v0 45613057 QmXC9NxMi2LBC4VqydYYLpjrFHpksjwwx7MmK8TW63hDHc
";

/// Bytes a chunk, links a block, length, id with raw leaves and version 1, wrapped and version 0.
const SHAPES: &str = "
    4 2 4 bafkreiaifd56qbufehmqanii6c2acxe4fu6ymaekjgup6ewbm5yqja3yoe QmTxinrN1xTrTso94gMeXwDVBXiWoP4LLKgVXjdA4xYq1E
    4 2 5 bafybeigkgcrroukrmiejuenurthkjbec7wehsv55poxlyy52jx6ynknyzi QmUy71yw3MPEpfx1hWz2ZJ9QjR1Lhn44WNmzYfZyLrMfTn
    4 2 8 bafybeibbt4bsdxatd5cvhc54vowii5xbfcxspftf3wvjeuu7cc4uojj36a Qmdo989Y8DwxM4QpUwD3UD563PfxJt8HtUh9NThTk8Apu5
    4 2 9 bafybeia4eygzheodj2qdkizhk57ejbqrb25eqbbcniyruzgacwini4okka QmXqdLCAo4jx7swxSCu5H2XqDqXtzzU9dRTCJrxWu9QHSN
    4 2 12 bafybeidic6adsdt7htaor6rcpqu3npi4o3zeriynjlf6o43stv4e7bwiaq QmXmNC9jq5AKfo2xvAKF6Mv2j7S6rJAP4sjokbZGiyJim2
    4 2 13 bafybeihfiq5gov5isrk43asa6f4c3zxvcifnvao3bhgy36esjqcnpagwve QmXCJ9maFDFWd4TUyjwQYpYMv9jGRgujQiz7WrGb9S56jD
    4 2 16 bafybeihertsyuhje4cchssbwchr5mw7yidzmi3ufpqq4iompfx24cldg3m Qmbx6CjUAwdysyYHNtjue1x35f53pdQmbHVu87eVszSufz
    4 2 17 bafybeigfqjm6q7cqabddq5rhspaqne5erx3kvshdafk6gz3vik2kg7d4gi QmSsGiXXDMEXgPwDX8f8y7DNkY6SBZY8S1qb8mCYShZDgr
    4 2 25 bafybeib2jzzi5mwcqnoxizf46nwnpy7el727avjwqx4bv4geegll7c5i5y QmNnD9v421v5GoWPccD9EqtPBzmMHG16fiFeLCTBF819Dy
    4 2 32 bafybeihgpnjhx3qenx6bjmoqajfex7dntyee2bnvd57u5vphzn2fdwr6dq QmXuXHqiWW8uyvykHvXBijRTLXJnhXZThsLrrYCdoTtTLK
    4 2 33 bafybeihnvnbvmqglt2gbhc56k6ivs6dosijd33boz2eamb2cl45yclvqw4 Qma6NmNfJGgQEQUf8sYyrD1Zo6o3A1Pz29uagKAc3vb4bs
    4 2 200 bafybeifc4fjr3kijebijswt5ufj5nx6kn6uqmqowec2dzoyqz4toc3qmzm QmbWr1e7JCesz5rBdY3CWGM8AyqgVaxmG3Eoh5MJXMY8Cm
    5 3 4 bafkreiaifd56qbufehmqanii6c2acxe4fu6ymaekjgup6ewbm5yqja3yoe QmTxinrN1xTrTso94gMeXwDVBXiWoP4LLKgVXjdA4xYq1E
    5 3 5 bafkreibivjlmoj5ttgmrbt7v5q4kxjcsstciurogpdml64f6bhoosm7seq QmVgje7PFxLapvmvTJhWnkYYh7Y5KBumxmuUHy67qRhUKd
    5 3 9 bafybeihuawauo25dbrg27yaozsyroh7yf7qohhnilzjum5wzinpiojr66i QmPhnhL6Vp2nvyC3rvuAHvSKy9LDaXgrhsrQoRur3h4xJ4
    5 3 16 bafybeiftpeadfqg3pqodntolvza4ddhja5vvczzfbdzibtwzxigv7oykgi QmXzLnvZ9zAQeoKde2Mk5n46ZCV1e52HEG5ATPQhKgTL4g
    5 3 17 bafybeidn4gwqtwpd7ndaczpbvs55gpogmapmj6y6bxlrm2ou7umygwzyvu QmYKpVbdPxk1Nvu3xZeeTiMxdEZZ5wf7Gj4bdScBuVtfJd
    5 3 25 bafybeiaphfp2rslyzjdz4r6cci2swnnpalsbrqfpvd7knlhp65l5ttwi7q QmNMgXMjpG3jg7YsSRw4C1r9C4t8fK4Wd3mCc4qd6ZPXnE
    5 3 33 bafybeie62p4uzwop34724wzrc3h2ae5v3cxjpwjxgiylpmrgjprdyimfga QmSHHzuTyjSsmrPsadmf7N5bY37gjawKKQWAS2zppNNPAT
    5 3 37 bafybeigeu6xh6xlm2cos7hszfnldykcma6z67qdyk3qxzy7ryfnyhuthuq QmTP1jF3pajhi83qDjLWa1Kjkpqwi42VKnvZcck5CTXYUq
    5 3 108 bafybeibjgluaa2y62lz4hpc3kgfn7qaqamz3ishntbe4p6pyxgjn47j36i Qmeri3qMRqdSjxt2XUaVUQHAhjVP9hohvMp7k2GqMmzkUZ
    5 3 109 bafybeibsnqdmye3pbtm2zssrffdoxyhz755b7esy7jfa2mogsztklrsmoe QmPtQsMjFXuzZnaD9AHvMFG8yUeVWUfPTa8hUYqTSzvrRo
    5 3 200 bafybeiak2n6timi6fgp63s7ukyrnypq6fxh5tgw26plksyqndxjln637fu QmY4bSycXJcC6axcB4AqdKrNmk2NQ5d5k5HDDVjdsQGbLj
    1 2 1 bafkreidogqfzz75tpkmjzjke425xqcrmpcib2p5tg44hnbirumdbpl5adu QmS9JArPwa55ePgDnyg6TzX24mYTS1b1vLqWNebyVotKxQ
    1 2 3 bafybeiebel5zgnze3j2kexp6k6irplkyf6uxn3y52eddttnfrpldpsffku QmSf72W8JpxnNCxrw9Gc9YChEqo6CAcubktRNaNpStKMMu
    1 2 4 bafybeig36k3yrafrthvhplnnjno5zeacb6l4iuuvxow4dbpdfvkxbny3wm Qma62ZuwpARDVkTgcHFqa7y453knf7nyJwqasHeFE1BMgt
    1 2 5 bafybeibzhj754kj2rzns4bhvzsi2clx5vxh6gpjwdvhug2tl2mnula4vqq QmNk8xbhWrXwnwCvkiFNWg1QuLmymH35vosjAKuEjEiADw
    1 2 8 bafybeihhw3x6aa2ijmosx4m2ibsotuzuhsxhky6yyqsblhfjqb5qnwjbri QmTDumVirMg88X6ipkNsf2FbTue9Nj7kyK7NsDo8N7UFQs
    1 2 9 bafybeibytgwfxuiwbaedd244psgcuofb7sb2ujojhu4ccumyjhbvtvvodu QmerQ3UJuPvL4PTcRKYQt294tRV39jo3jKe9BGbSEJ8ar4
    1 2 16 bafybeiez2qqo5yzlmg4o27fhz4v2txuohgbi7wecf2ezqlrmioouyc4xa4 QmPLGBgpW1Uv2tBYvJAHLFq8R6DE9ydzdwtfqwTC7aVVrH
    1 2 17 bafybeiehhpdrdrs7cpqa253tm26w37t52rpgzzxcy2dwxcr64pulvrqa6q QmNWboVjbN1aJTs4ar4c9mJuAanpqPAsgi34PMhJ71Jfgs
    1 2 32 bafybeicixskpqrvt4b5gz4v7grqhcljvcg2ya5ai3thlrwddidswi4ontu QmcYjRqNwetZfoQAHNyg5uwVSUBUWHFzDFquZCsCDMDTM4
    1 2 33 bafybeicypkir532b66uqjhqge2njcmypyyi4jhgqnqqyq2kggosh4chwmu QmPE787GTNVQBCCfT3cUUivXv1G8pZE3FKnpJQoiVHK7fn
    1 2 200 bafybeic4rcl5h4ggmcjeo5lnr3o6czsrqbaa42kqajiw5xydagufr5fwp4 QmZL23jzTne8RVgNGEimn276MNt5YuKsvshRA395BxXfFz
";

/// Bytes without a period that a chunk could hide: every block of a file differs.
fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|i| ((i * 31 + (i >> 8) * 17 + (i >> 16) * 7) & 255).to_le_bytes()[0]).collect()
}

fn columns<const N: usize>(row: &str) -> [&str; N] {
    row.split_whitespace().collect::<Vec<_>>().try_into().unwrap()
}

fn code(text: &str) -> &'static str {
    text.parse::<Cid>().unwrap_err().code()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != ".finalmile")
        .collect();
    names.sort();
    names
}

// Importing

#[test]
fn c3_named_profiles_agree_with_another_importer_around_every_boundary() {
    let bytes = pattern(174 * (256 << 10) + 1);
    for row in NAMED.lines().skip(1) {
        let [name, length, expected] = columns(row);
        let length: usize = length.parse().unwrap();
        let found = if name == "v1" {
            cid_of(&bytes[..length], Profile::UNIXFS_V1_2025).unwrap().to_string()
        } else {
            cid_of(&bytes[..length], Profile::UNIXFS_V0_2015).unwrap().to_v0().unwrap()
        };
        assert_eq!(found, expected, "{row}");
    }
}

#[test]
fn c3_trees_of_every_shape_agree_with_another_importer() {
    let bytes = pattern(256);
    for row in SHAPES.lines().skip(1) {
        let [chunk, links, length, raw, wrapped] = columns(row);
        let number = |text: &str| text.parse::<usize>().unwrap();
        let of = |raw_leaves, version| {
            let profile = Profile::custom(number(chunk), number(links), raw_leaves, version);
            cid_of(&bytes[..number(length)], profile.unwrap()).unwrap()
        };
        assert_eq!(of(true, 1).to_string(), raw, "{row}");
        assert_eq!(of(false, 0).to_v0().unwrap(), wrapped, "{row}");
    }
}

#[test]
fn where_pieces_end_has_no_effect_on_the_id() {
    let bytes = pattern(3_000_000);
    let expected = cid_of_bytes(&bytes);
    for step in [1_000, 65_537, 1 << 20, 2_500_000] {
        let mut importer = Importer::new(Profile::default());
        bytes.chunks(step).for_each(|piece| importer.update(piece));
        assert_eq!(importer.finish(), expected, "pieces of {step}");
    }
}

#[test]
fn a_reader_may_be_slow_interrupted_or_broken() {
    /// Yields one byte a call, and before each an error of `kind`.
    struct Halting<'a>(&'a [u8], bool, io::ErrorKind);
    impl Read for Halting<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.1 = !self.1;
            if self.1 { Err(self.2.into()) } else { self.0.read(&mut buffer[..1]) }
        }
    }
    let profile = Profile::default();
    let slow = Halting(b"hello world", false, io::ErrorKind::Interrupted);
    assert_eq!(cid_of(slow, profile).unwrap().to_string(), HELLO);
    let broken = Halting(b"hello world", false, io::ErrorKind::ConnectionReset);
    assert_eq!(cid_of(broken, profile).unwrap_err().code(), "FILE_UNREADABLE");
}

#[test]
fn a_file_has_the_id_of_its_bytes_and_a_missing_one_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hello");
    fs::write(&path, "hello world").unwrap();
    assert_eq!(cid_of_file(&path).unwrap().to_string(), HELLO);
    assert_eq!(cid_of_file(&folder.path().join("no")).unwrap_err().code(), "FILE_UNREADABLE");
    assert_eq!(cid_of_file(folder.path()).unwrap_err().code(), "FILE_UNREADABLE");
}

#[test]
fn profiles_without_sense_are_refused() {
    for (chunk, links, version) in
        [(0, 174, 1), ((2 << 20) - 255, 174, 1), (1, 1, 1), (1, 8_193, 1), (1, 2, 2)]
    {
        let error = Profile::custom(chunk, links, true, version).unwrap_err();
        assert_eq!(error.code(), "INVALID_PROFILE", "{chunk} {links} {version}");
    }
}

// Ids

#[test]
fn c1_every_spelling_of_one_block_is_one_id() {
    let canonical: Cid = EMPTY_V0_AS_V1.parse().unwrap();
    let binary_v0 = &canonical.as_bytes()[2..];
    for spelling in [EMPTY_V0, &EMPTY_V0_AS_V1.to_ascii_uppercase()] {
        let cid: Cid = spelling.parse().unwrap();
        assert_eq!(cid, canonical);
        assert_eq!(cid.to_string(), EMPTY_V0_AS_V1);
        assert_eq!(cid.to_v0().unwrap(), EMPTY_V0);
    }
    assert_eq!(Cid::from_bytes(binary_v0).unwrap(), canonical);
    assert_eq!(Cid::from_bytes(canonical.as_bytes()).unwrap(), canonical);

    use ::cid::multibase::Base;
    let hello = ::cid::Cid::try_from(HELLO).unwrap();
    for base in [Base::Base58Btc, Base::Base36Lower, Base::Base36Upper, Base::Base32Upper] {
        let spelling = hello.to_string_of_base(base).unwrap();
        assert_eq!(spelling.parse::<Cid>().unwrap().to_string(), HELLO, "{spelling}");
    }
}

#[test]
fn an_id_tells_its_codec_and_hash() {
    let hello: Cid = HELLO.parse().unwrap();
    assert_eq!(hello.codec(), Codec::Raw);
    assert!(matches!(hello.hash(), Multihash::Sha2_256(digest) if digest[0] == 0xb9));
    assert!(hello.names_block(b"hello world") && !hello.names_block(b"hello worlds"));
    assert_eq!(hello.to_v0(), None, "raw blocks have no CIDv0");
    assert_eq!(Cid::of_raw_block(b"hello world"), hello);
    assert_eq!(EMPTY_V0.parse::<Cid>().unwrap().codec(), Codec::DagPb);
}

#[test]
fn an_identity_hash_carries_up_to_128_bytes() {
    for length in [0, 1, 32, 36, 127, 128] {
        let content = pattern(length);
        let mut bytes = vec![0x01, 0x55, 0x00];
        // Up to 127 the length is one byte; 128 takes two.
        let spelled = [u8::try_from(length).unwrap(), 0x01];
        bytes.extend_from_slice(&spelled[..if length < 128 { 1 } else { 2 }]);
        bytes.extend_from_slice(&content);
        let cid = Cid::from_bytes(&bytes).unwrap();
        assert_eq!(cid.hash(), Multihash::Identity(&content));
        assert_eq!(cid.to_string().parse::<Cid>().unwrap(), cid);
        assert!(cid.names_block(&content) && !cid.names_block(b"else"));
    }
    let long = [&[0x01, 0x55, 0x00, 0x81, 0x01][..], &pattern(129)].concat();
    assert_eq!(Cid::from_bytes(&long).unwrap_err().code(), "UNSUPPORTED_CID");
}

#[test]
fn c2_texts_that_are_no_ids_are_refused() {
    let padded = format!("{HELLO}=");
    let mixed = HELLO.replace("kre", "KRE");
    let trailing = format!("{HELLO}a");
    let base36 = ::cid::Cid::try_from(HELLO).unwrap();
    let base36 = base36.to_string_of_base(::cid::multibase::Base::Base36Lower).unwrap();
    let mixed36 = base36.replacen(|letter: char| letter.is_ascii_lowercase(), "K", 1);
    let longer36 = format!("k0{}", &base36[1..]);
    let lower_v0 = EMPTY_V0.to_ascii_lowercase();
    let long = "b".repeat(10_000);
    let zeros = "1".repeat(46);
    for text in [
        "",
        "b",
        "B",
        "z",
        "k",
        "K",
        "Qm",
        " ",
        "bafkre",
        "../../etc/passwd",
        "b../../etc",
        "bafk/../",
        "é",
        "bé",
        "zé",
        &padded,
        &mixed,
        &mixed36,
        &longer36,
        &trailing,
        &lower_v0,
        &long,
        &zeros,
        &HELLO[..58],
        &EMPTY_V0[..45],
        &format!(" {HELLO}"),
        &format!("{HELLO}\n"),
        &format!("{HELLO}\0"),
        &EMPTY_V0.replace('F', "0"),
        &EMPTY_V0.replace('F', "l"),
    ] {
        assert_eq!(code(text), "INVALID_CID", "{text:.80?}");
    }
}

#[test]
fn c2_bytes_that_are_no_ids_are_refused() {
    let digest = [7_u8; 32];
    let with = |head: &[u8]| [head, &digest].concat();
    let code = |bytes: &[u8]| Cid::from_bytes(bytes).unwrap_err().code();
    for (bytes, expected) in [
        (vec![], "INVALID_CID"),
        (vec![0x01], "INVALID_CID"),
        (vec![0x00, 0x70], "INVALID_CID"),
        (vec![0xFF; 40], "INVALID_CID"),
        (with(&[0x01, 0x55, 0x12, 0x21]), "INVALID_CID"),
        (with(&[0x01, 0x55, 0x12, 0x1F]), "INVALID_CID"),
        // Padded numbers: 1 as `81 00`, 0x55 as `d5 00`, 32 as `a0 00`.
        (with(&[0x81, 0x00, 0x55, 0x12, 0x20]), "INVALID_CID"),
        (with(&[0x01, 0xD5, 0x00, 0x12, 0x20]), "INVALID_CID"),
        (with(&[0x01, 0x55, 0x12, 0xA0, 0x00]), "INVALID_CID"),
        (with(&[0x12, 0x20, 0x00]), "INVALID_CID"),
        (with(&[0x02, 0x55, 0x12, 0x20]), "UNSUPPORTED_CID"),
        (with(&[0x01, 0x71, 0x12, 0x20]), "UNSUPPORTED_CID"),
        (with(&[0x01, 0x55, 0x16, 0x20]), "UNSUPPORTED_CID"),
        (with(&[0x01, 0x55, 0x1E, 0x20]), "UNSUPPORTED_CID"),
    ] {
        assert_eq!(code(&bytes), expected, "{bytes:02x?}");
    }
    let whole = with(&[0x01, 0x55, 0x12, 0x20]);
    for length in 0..whole.len() {
        assert_eq!(code(&whole[..length]), "INVALID_CID", "cut to {length}");
    }
    assert_eq!(code(&with(&[0x01, 0x55, 0x12, 0x20, 0x00])), "INVALID_CID");
}

#[test]
fn spellings_that_exist_but_are_not_read_are_unsupported() {
    let hello = ::cid::Cid::try_from(HELLO).unwrap();
    // A CIDv0 behind a prefix claims to be version 18.
    assert_eq!(code(&format!("z{EMPTY_V0}")), "UNSUPPORTED_CID");
    use ::cid::multibase::Base;
    for base in [Base::Base16Lower, Base::Base16Upper, Base::Base32HexLower, Base::Base58Flickr] {
        assert_eq!(code(&hello.to_string_of_base(base).unwrap()), "UNSUPPORTED_CID");
    }
}

#[test]
fn c2_damaged_texts_never_panic_and_never_pass_what_another_parser_refuses() {
    let mut random = Xorshift(0x5EED);
    let mut accepted = 0;
    for round in 0..20_000 {
        let mut text = [HELLO, EMPTY_V0, EMPTY_V0_AS_V1, "bafkqaaa"][round % 4].as_bytes().to_vec();
        for _ in 0..random.below(3) {
            let at = random.below(text.len());
            match random.below(3) {
                0 => text[at] = b"abQm1z0Zb27=/."[random.below(14)],
                1 => _ = text.remove(at),
                _ => text.insert(at, b'a'),
            }
        }
        let text = String::from_utf8(text).unwrap();
        let Ok(ours) = text.parse::<Cid>() else { continue };
        let theirs = ::cid::Cid::try_from(text.as_str()).unwrap();
        let theirs = ::cid::Cid::new_v1(theirs.codec(), *theirs.hash());
        assert_eq!(ours.as_bytes(), theirs.to_bytes(), "{text}");
        accepted += 1;
    }
    assert!(accepted > 5_000, "the undamaged ones pass: {accepted}");
}

#[test]
fn random_ids_read_back_as_another_library_prints_them() {
    let mut random = Xorshift(9);
    for _ in 0..500 {
        let digest: [u8; 32] = std::array::from_fn(|_| u8::try_from(random.below(256)).unwrap());
        let cid = Cid::of_digest(Codec::DagPb, &digest);
        let theirs = ::cid::Cid::try_from(cid.as_bytes()).unwrap();
        assert_eq!(cid.to_string(), theirs.to_string());
        let v0 = ::cid::Cid::new_v0(*theirs.hash()).unwrap().to_string();
        assert_eq!(cid.to_v0().unwrap(), v0);
        assert_eq!(v0.parse::<Cid>().unwrap(), cid);
    }
}

// The cache

#[test]
fn what_is_put_can_be_got_checked_counted_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::open(folder.path().join("deep/ipfs")).unwrap();
    let entry = cache.put_bytes(b"hello world", Kind::Media).unwrap();
    assert_eq!((entry.cid.to_string().as_str(), entry.size_bytes, entry.added), (HELLO, 11, true));
    assert_eq!(fs::read(cache.get(&entry.cid).unwrap().unwrap()).unwrap(), b"hello world");
    assert!(cache.contains(&entry.cid));
    assert_eq!(cache.verify(&entry.cid).unwrap(), Check::Intact);

    let again = cache.put_bytes(b"hello world", Kind::Media).unwrap();
    assert_eq!((again.path, again.added), (entry.path, false));
    let stats = cache.stats().unwrap();
    assert_eq!((stats.entries, stats.bytes), (1, 11));

    assert!(cache.remove(&entry.cid).unwrap());
    assert!(!cache.remove(&entry.cid).unwrap());
    assert_eq!(cache.get(&entry.cid).unwrap(), None);
    assert_eq!(cache.verify(&entry.cid).unwrap(), Check::Missing);
}

#[test]
fn a_file_of_several_blocks_is_copied_and_checked_under_its_root() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("video");
    let bytes = pattern(5_242_883);
    fs::write(&source, &bytes).unwrap();
    let cache = Cache::open(folder.path().join("ipfs")).unwrap();
    let entry = cache.put(&source, Kind::Media).unwrap();
    let known = NAMED.lines().find(|row| row.contains("v1 5242883")).unwrap();
    assert!(known.ends_with(&entry.cid.to_string()), "{known}");
    assert!(fs::read(&entry.path).unwrap() == bytes && source.exists());
    assert_eq!(cache.verify(&entry.cid).unwrap(), Check::Intact);
}

#[test]
fn content_under_an_id_of_another_making_is_checked_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::open(folder.path()).unwrap();
    let bytes = pattern(600_000);
    let v0 = cid_of(&bytes[..], Profile::UNIXFS_V0_2015).unwrap();
    let identity: Cid = "bafkqaaa".parse().unwrap();
    fs::write(folder.path().join(v0.to_string()), &bytes).unwrap();
    fs::write(folder.path().join(identity.to_string()), b"").unwrap();
    assert_eq!(cache.verify(&v0).unwrap(), Check::Intact);
    assert_eq!(cache.verify(&identity).unwrap(), Check::Intact);
}

#[test]
fn a_damaged_file_is_reported_once_and_gone() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::open(folder.path()).unwrap();
    for bytes in [pattern(20_000), pattern(1_500_000)] {
        let entry = cache.put_bytes(&bytes, Kind::Media).unwrap();
        for damage in [&bytes[1..], &[&bytes[..], b"x"].concat(), b""] {
            fs::write(&entry.path, damage).unwrap();
            let error = cache.verify(&entry.cid).unwrap_err();
            assert_eq!((error.code(), error.is_retryable()), ("CONTENT_MISMATCH", true));
            assert_eq!(cache.verify(&entry.cid).unwrap(), Check::Missing);
        }
        // A put heals a copy that nobody has verified yet.
        fs::write(&entry.path, b"damage").unwrap();
        cache.put_bytes(&bytes, Kind::Media).unwrap();
        assert_eq!(cache.verify(&entry.cid).unwrap(), Check::Intact);
    }
}

#[test]
fn c7_a_file_or_folder_that_vanished_is_a_miss() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::open(folder.path().join("ipfs")).unwrap();
    let entry = cache.put_bytes(b"purged", Kind::Media).unwrap();
    fs::remove_dir_all(cache.folder()).unwrap();
    assert_eq!(cache.get(&entry.cid).unwrap(), None);
    assert!(!cache.contains(&entry.cid));
    assert_eq!(cache.verify(&entry.cid).unwrap(), Check::Missing);
    assert!(!cache.remove(&entry.cid).unwrap());
    // A put makes the folder again.
    let again = cache.put_bytes(b"purged", Kind::Media).unwrap();
    assert_eq!(cache.get(&entry.cid).unwrap(), Some(again.path));
}

#[test]
fn c6_the_names_in_the_folder_are_canonical_ids() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::open(folder.path()).unwrap();
    cache.put_bytes(b"hello world", Kind::Media).unwrap();
    assert_eq!(names(folder.path()), [HELLO]);
    // What others put there is neither counted nor served.
    fs::write(folder.path().join(EMPTY_V0), b"junk").unwrap();
    fs::write(folder.path().join("notes.txt"), b"junk").unwrap();
    fs::create_dir(folder.path().join(EMPTY_V0_AS_V1)).unwrap();
    assert_eq!(cache.stats().unwrap().entries, 1);
    assert_eq!(cache.get(&EMPTY_V0.parse().unwrap()).unwrap(), None);
}

#[cfg(unix)]
#[test]
fn c6_a_link_planted_under_an_id_is_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::open(folder.path()).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", folder.path().join(HELLO)).unwrap();
    let hello: Cid = HELLO.parse().unwrap();
    assert_eq!(cache.get(&hello).unwrap(), None);
    assert_eq!(cache.verify(&hello).unwrap(), Check::Missing);
    // A put replaces the link itself.
    cache.put_bytes(b"hello world", Kind::Media).unwrap();
    assert_eq!(cache.verify(&hello).unwrap(), Check::Intact);
}

#[test]
fn c5_a_put_that_fails_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::open(folder.path().join("ipfs")).unwrap();
    // The source cannot be read: it is a folder.
    assert_eq!(cache.put(folder.path(), Kind::Media).unwrap_err().code(), "FILE_UNREADABLE");
    assert_eq!(cache.put(Path::new("no/such"), Kind::Media).unwrap_err().code(), "FILE_UNREADABLE");
    assert!(names(cache.folder()).is_empty());
    // The name is taken by something that cannot be replaced.
    fs::create_dir_all(cache.folder().join(HELLO).join("full")).unwrap();
    let error = cache.put_bytes(b"hello world", Kind::Media).unwrap_err();
    assert_eq!(error.code(), "CACHE_UNAVAILABLE");
    assert_eq!(names(cache.folder()), [HELLO]);
}

#[test]
fn a_place_that_is_no_folder_is_a_typed_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    File::create(&file).unwrap();
    for place in [file.clone(), file.join("below")] {
        let error = Cache::open(place).unwrap_err();
        assert!(matches!(error, IpfsError::CacheUnavailable { .. }), "{error}");
        assert!(!error.public_text().contains("file"), "no path reaches a user");
    }
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_written_still_serves_what_it_holds() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let kept = Cache::open(folder.path()).unwrap().put_bytes(b"kept", Kind::Media).unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o555)).unwrap();
    let cache = Cache::open(folder.path()).unwrap();
    assert!(cache.contains(&kept.cid));
    // The superuser may write anywhere, so there is nothing to refuse.
    if File::create(folder.path().join("probe")).is_err() {
        assert_eq!(cache.put_bytes(b"new", Kind::Media).unwrap_err().code(), "CACHE_UNAVAILABLE");
        assert_eq!(cache.remove(&kept.cid).unwrap_err().code(), "CACHE_UNAVAILABLE");
        assert_eq!(cache.stats().unwrap().entries, 1);
    }
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn c5_many_threads_and_processes_put_the_same_content_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let children: Vec<_> = (0..2)
        .map(|_| {
            Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "child_of_the_test_above", "--ignored"])
                .env("FINALMILE_TEST_CACHE", folder.path())
                .stdout(std::process::Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    put_and_read_from_threads(folder.path());
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let cache = Cache::open(folder.path()).unwrap();
    assert_eq!(cache.stats().unwrap().entries, 3);
    assert!(names(folder.path()).iter().all(|name| !name.ends_with(".part")));
}

#[test]
#[ignore = "runs as a second process of the test above"]
fn child_of_the_test_above() {
    if let Some(folder) = std::env::var_os("FINALMILE_TEST_CACHE") {
        put_and_read_from_threads(Path::new(&folder));
    }
}

fn put_and_read_from_threads(folder: &Path) {
    let contents = [pattern(10), pattern(30_000), pattern(1_100_000)];
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let cache = Cache::open(folder).unwrap();
                for content in contents.iter().cycle().take(9) {
                    let entry = cache.put_bytes(content, Kind::Media).unwrap();
                    assert!(fs::read(&entry.path).unwrap() == *content, "seen whole or not at all");
                }
            });
        }
    });
}

/// A small generator of test numbers; a failure names its seed by the test it is in.
///
/// Source: Marsaglia, "Xorshift RNGs", 2003.
struct Xorshift(u64);

impl Xorshift {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }
}
