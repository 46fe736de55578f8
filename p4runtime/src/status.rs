//! The details of a gRPC status: one `p4.v1.Error` for each part of a batch.
//!
//! P4Runtime 1.4, section "Error Reporting Messages".

use prost::Message as _;

use crate::proto::google::rpc;
use crate::{Code, v1};

const ERROR_NAME: &str = "p4.v1.Error";

/// The details of a status with this code and message.
pub fn encode_details(code: Code, message: &str, errors: &[v1::Error]) -> Vec<u8> {
    let details = errors.iter().map(|error| prost_types::Any {
        type_url: format!("type.googleapis.com/{ERROR_NAME}"),
        value: error.encode_to_vec(),
    });
    let status = rpc::Status {
        code: code.number(),
        message: message.to_owned(),
        details: details.collect(),
    };
    status.encode_to_vec()
}

/// The errors in the details of a status; empty if there are none or one cannot be read, because
/// then the others cannot be assigned.
pub fn decode_details(details: &[u8]) -> Vec<v1::Error> {
    let Ok(status) = rpc::Status::decode(details) else {
        return Vec::new();
    };
    let errors = status.details.iter().map(|any| {
        let is_error = any.type_url.rsplit('/').next() == Some(ERROR_NAME);
        is_error
            .then(|| v1::Error::decode(any.value.as_slice()).ok())
            .flatten()
    });
    errors.collect::<Option<Vec<_>>>().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn decode_undoes_encode() {
        let failed = v1::Error {
            canonical_code: Code::NotFound.number(),
            message: "no such entry".to_owned(),
            ..Default::default()
        };
        let errors = [v1::Error::default(), failed];
        let details = encode_details(Code::Unknown, "1 of 2", &errors);
        assert_eq!(decode_details(&details), errors);
        assert_eq!(decode_details(&[]), []);
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken_or_refused(bytes: Vec<u8>) {
            let _ = decode_details(&bytes);
        }
    }
}
