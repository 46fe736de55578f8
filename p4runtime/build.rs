//! Compiles `proto/` to Rust and to a descriptor set, in Rust alone: no `protoc` is needed.
//! The descriptor set is what the text form of P4Info is parsed by.

use std::path::PathBuf;

use prost::Message as _;

const ROOT: &str = "proto/p4/v1/p4runtime.proto";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=proto");
    let descriptors = protox::Compiler::new(["proto"])?
        .include_imports(true)
        .include_source_info(true)
        .open_file(ROOT)?
        .file_descriptor_set();
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out.join("p4runtime.binpb"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure()
        .build_client(true)
        .build_server(true)
        .build_transport(false)
        .include_file("proto.rs")
        .compile_fds(descriptors)?;
    Ok(())
}
