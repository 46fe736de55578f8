//! Replies come back as written, stop at the limit, and no bytes make the reader panic.

use super::*;
use proptest::prelude::*;

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        Just(Value::Ok),
        prop::collection::vec(any::<u8>(), 0..20).prop_map(Value::Text),
        "[ -~]{0,20}".prop_map(Value::Error),
        prop::collection::vec(any::<u8>(), 0..20).prop_map(Value::Bulk),
        any::<i64>().prop_map(Value::Integer),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        let values = prop::collection::vec(inner.clone(), 0..4);
        prop_oneof![
            values.clone().prop_map(Value::Array),
            values.prop_map(Value::Set),
            prop::collection::vec((inner.clone(), inner), 0..4).prop_map(Value::Map),
        ]
    })
}

fn write_all(writer: &mut ReplyWriter<'_>, values: &[Value]) {
    for value in values {
        write(writer, value);
    }
}

fn write(writer: &mut ReplyWriter<'_>, value: &Value) {
    match value {
        Value::Null => writer.null(),
        Value::Ok => writer.ok(),
        Value::Text(text) => writer.chunk(TEXT, text),
        Value::Error(text) => writer.chunk(ERROR, text.as_bytes()),
        Value::Bulk(bytes) => writer.bulk(bytes),
        Value::Integer(number) => writer.integer(*number),
        Value::Array(values) => {
            writer.array(values.len());
            write_all(writer, values);
        }
        Value::Set(values) => {
            writer.set(values.len());
            write_all(writer, values);
        }
        Value::Map(pairs) => {
            writer.map(pairs.len());
            for (key, value) in pairs {
                write(writer, key);
                write(writer, value);
            }
        }
    }
}

proptest! {
    #[test]
    fn what_was_written_is_read(values in prop::collection::vec(value(), 0..5)) {
        let mut out = b"before".to_vec();
        let mut writer = ReplyWriter::new(&mut out, usize::MAX);
        write_all(&mut writer, &values);
        let size = writer.size();
        writer.finish(u16::try_from(values.len()).unwrap());
        prop_assert_eq!(out.len(), 6 + size);
        prop_assert_eq!(Reply::parse(&out[6..]), Ok(Reply { values }));
    }

    #[test]
    fn the_size_is_counted_past_the_limit(values in prop::collection::vec(value(), 0..5)) {
        let mut whole = Vec::new();
        let mut writer = ReplyWriter::new(&mut whole, usize::MAX);
        write_all(&mut writer, &values);
        let size = writer.size();
        let mut cut = Vec::new();
        let mut writer = ReplyWriter::new(&mut cut, 10);
        write_all(&mut writer, &values);
        prop_assert_eq!(writer.size(), size);
        prop_assert_eq!(writer.is_over(), size > 10);
        writer.rewind(HEADER_SIZE);
        prop_assert!(!writer.is_over());
        prop_assert_eq!(cut.len(), HEADER_SIZE);
    }

    #[test]
    fn arbitrary_bytes_never_panic(
        mut bytes in prop::collection::vec(prop_oneof![0_u8..12, any::<u8>()], 0..80),
    ) {
        let _ = Reply::parse(&bytes);
        if let Some(first) = bytes.first_mut() {
            *first = REPLY_VERSION;
        }
        let _ = Reply::parse(&bytes);
    }
}

#[test]
fn zigzag_is_its_own_way_back() {
    for number in [0, 1, -1, 63, -64, i64::MAX, i64::MIN] {
        assert_eq!(unzigzag(zigzag(number)), number);
    }
    assert_eq!(zigzag(-1), 1);
}

#[test]
fn too_deep_is_refused() {
    let mut bytes = [1, 0, 1].to_vec();
    bytes.extend_from_slice(&[ARRAY, 1].repeat(MAX_DEPTH + 1));
    bytes.push(NULL);
    assert!(Reply::parse(&bytes).is_err());
}
