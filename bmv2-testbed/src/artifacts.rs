//! The compiled switch program, part of the binary: it runs where there is no p4c and no checkout.

/// BMv2 JSON of `p4/v1model/root.p4`.
pub const ROOT_JSON: &[u8] = include_bytes!("../../p4/built/root.json");

/// P4Info of the same program, in text form.
pub const ROOT_P4INFO: &str = include_str!("../../p4/built/root.p4info.txtpb");
