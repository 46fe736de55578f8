//! Header types and instances become places in the vector.
//!
//! First the metadata, each field in a container of its own (of at least 8 bytes from 33 bits on,
//! so that loads stay aligned to what was stored), then the headers as on the wire, then one byte
//! for each instance that is 1 when it is valid, then spare bytes for containers that reach beyond
//! the last field.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use super::super::error::LoadError;
use super::super::field::{Container, Field};
use super::super::program::{Header, Intrinsic};
use super::json::Node;

/// The longest vector, in bytes.
const MAX_VECTOR_BYTES: usize = 32 * 1024;
/// Containers reach at most this far beyond their field.
const SPARE_BYTES: usize = 16;
/// Header and metadata instances.
const MAX_HEADERS: usize = 4096;

/// The name of the hidden field that tells whether a header is valid.
pub(super) const VALID: &str = "$valid$";

struct HeaderType {
    /// Name and width, in order.
    fields: Vec<(String, usize)>,
    bits: usize,
}

/// A header instance as the loader knows it.
pub(super) struct Instance {
    pub(super) index: u16,
    type_name: String,
    pub(super) metadata: bool,
    fields: BTreeMap<String, Field>,
}

impl Instance {
    /// One of its fields.
    pub(super) fn member(&self, field: &str) -> Option<Field> {
        self.fields.get(field).copied()
    }

    /// Whether both have the same type.
    pub(super) fn same_type(&self, other: &Self) -> bool {
        self.type_name == other.type_name && self.metadata == other.metadata
    }
}

/// All instances, by name.
pub(super) struct Layout {
    pub(super) headers: Vec<Header>,
    instances: BTreeMap<String, Instance>,
    /// The switch's names of fields that the program names otherwise.
    aliases: BTreeMap<String, Field>,
    pub(super) fresh_vector: Box<[u8]>,
}

impl Layout {
    pub(super) fn load(root: &Node<'_>) -> Result<Self, LoadError> {
        root.empty("header_stacks", "a header stack")?;
        root.empty("header_union_types", "a header union")?;
        root.empty("header_unions", "a header union")?;
        root.empty("header_union_stacks", "a header union stack")?;
        let types = load_types(root)?;
        let mut layout = Self {
            headers: Vec::new(),
            instances: BTreeMap::new(),
            aliases: BTreeMap::new(),
            fresh_vector: Box::default(),
        };
        layout.place_instances(root, &types)?;
        for alias in root.optional_list("field_aliases")? {
            let [name, target] = alias.tuple()?;
            let field = layout.field(&target)?;
            layout.aliases.insert(name.string()?.to_owned(), field);
        }
        Ok(layout)
    }

    fn place_instances(
        &mut self,
        root: &Node<'_>,
        types: &BTreeMap<String, HeaderType>,
    ) -> Result<(), LoadError> {
        let nodes = root.list("headers")?;
        let list = root.get("headers")?;
        list.at_most("the number of headers", nodes.len(), MAX_HEADERS)?;
        let mut end = 0;
        // Metadata first: its containers are aligned, the headers' bytes need not be.
        for metadata in [true, false] {
            for node in &nodes {
                node.only(&["header_type", "metadata", "pi_omit"])?;
                if node.get("metadata")?.boolean()? == metadata {
                    end = self.place(node, types, end)?;
                    node.at_most("the bytes of all headers", end, MAX_VECTOR_BYTES)?;
                }
            }
        }
        let length = end + self.headers.len() + SPARE_BYTES;
        list.at_most("the bytes of all headers", length, MAX_VECTOR_BYTES)?;
        let mut vector = vec![0; length];
        for instance in self.instances.values_mut() {
            let header = &mut self.headers[usize::from(instance.index)];
            header.valid = end + usize::from(instance.index);
            vector[header.valid] = u8::from(instance.metadata);
            let valid = Field::packed(header.valid, 7, 1)
                .ok_or_else(|| list.invalid("a header beyond the end of the vector"))?;
            instance.fields.insert(VALID.to_string(), valid);
        }
        self.fresh_vector = vector.into_boxed_slice();
        Ok(())
    }

    /// Places one instance from byte `base` on and gives the byte after it.
    fn place(
        &mut self,
        node: &Node<'_>,
        types: &BTreeMap<String, HeaderType>,
        base: usize,
    ) -> Result<usize, LoadError> {
        let name = node.name()?;
        let type_node = node.get("header_type")?;
        let type_name = type_node.string()?;
        let header_type = types
            .get(type_name)
            .ok_or_else(|| type_node.invalid(format!("no header type `{type_name}`")))?;
        let metadata = node.get("metadata")?.boolean()?;
        if !metadata && header_type.bits % 8 != 0 {
            return Err(node.invalid(format!("{} bits are not whole bytes", header_type.bits)));
        }
        let mut fields = BTreeMap::new();
        let mut bit = 0;
        let mut end = if metadata {
            base.next_multiple_of(8)
        } else {
            base
        };
        let base = end;
        for (field_name, width) in &header_type.fields {
            let too_wide =
                || node.unsupported(format!("field `{field_name}` of {width} bits, over 128"));
            let field = if metadata {
                let size = Container::covering(width.div_ceil(8))
                    .ok_or_else(too_wide)?
                    .bytes();
                let offset = end.next_multiple_of(size.min(8));
                end = offset + size;
                Field::alone(offset, *width)
            } else {
                let place = Field::packed(base, bit, *width);
                bit += width;
                end = base + bit.div_ceil(8);
                place
            };
            node.at_most("the bytes of all headers", end, MAX_VECTOR_BYTES)?;
            fields.insert(field_name.clone(), field.ok_or_else(too_wide)?);
        }
        let index = u16::try_from(self.headers.len())
            .map_err(|_| node.invalid("more than 65535 headers"))?;
        self.headers.push(Header {
            offset: base,
            length: end - base,
            valid: 0,
        });
        let instance = Instance {
            index,
            type_name: type_name.to_owned(),
            metadata,
            fields,
        };
        if self.instances.insert(name.clone(), instance).is_some() {
            return Err(node.invalid(format!("header `{name}` stands twice")));
        }
        Ok(end)
    }

    /// The instance whose name the node is.
    pub(super) fn instance(&self, node: &Node<'_>) -> Result<&Instance, LoadError> {
        let name = node.string()?;
        self.instances
            .get(name)
            .ok_or_else(|| node.invalid(format!("no header `{name}`")))
    }

    /// The field that `["header", "field"]` names.
    pub(super) fn field(&self, node: &Node<'_>) -> Result<Field, LoadError> {
        let [header, field] = node.tuple()?;
        let instance = self.instance(&header)?;
        let name = field.string()?;
        instance.fields.get(name).copied().ok_or_else(|| {
            field.invalid(format!(
                "no field `{name}` in header type `{}`",
                instance.type_name
            ))
        })
    }

    /// The header of the field that `["header", "field"]` names.
    pub(super) fn header_of(&self, node: &Node<'_>) -> Result<&Header, LoadError> {
        let [header, _] = node.tuple()?;
        Ok(&self.headers[usize::from(self.instance(&header)?.index)])
    }

    /// A field under the name by which the switch knows it.
    fn intrinsic(&self, name: &str) -> Option<Field> {
        if let Some(field) = self.aliases.get(name) {
            return Some(*field);
        }
        let (header, field) = name.split_once('.')?;
        self.instances.get(header)?.fields.get(field).copied()
    }

    /// The fields by which switch and program talk to each other.
    pub(super) fn intrinsics(&self, root: &Node<'_>) -> Result<Intrinsic, LoadError> {
        let needed = |name: &str| {
            let problem = || root.invalid(format!("the program has no field `{name}`"));
            self.intrinsic(name).ok_or_else(problem)
        };
        let port = |name: &str| {
            let field = needed(name)?;
            if !(9..=16).contains(&field.width) {
                return Err(root.unsupported(format!("`{name}` of {} bits", field.width)));
            }
            Ok(field)
        };
        let optional = |name: &str| self.intrinsic(name);
        Ok(Intrinsic {
            ingress_port: port("standard_metadata.ingress_port")?,
            packet_length: needed("standard_metadata.packet_length")?,
            instance_type: needed("standard_metadata.instance_type")?,
            egress_spec: port("standard_metadata.egress_spec")?,
            egress_port: port("standard_metadata.egress_port")?,
            multicast_group: optional("intrinsic_metadata.mcast_grp"),
            egress_rid: optional("intrinsic_metadata.egress_rid"),
            priority: optional("intrinsic_metadata.priority"),
            ingress_timestamp: optional("intrinsic_metadata.ingress_global_timestamp"),
            egress_timestamp: optional("intrinsic_metadata.egress_global_timestamp"),
            enqueue_timestamp: optional("queueing_metadata.enq_timestamp"),
            parser_error: optional("standard_metadata.parser_error"),
            checksum_error: optional("standard_metadata.checksum_error"),
        })
    }
}

fn load_types(root: &Node<'_>) -> Result<BTreeMap<String, HeaderType>, LoadError> {
    let mut types = BTreeMap::new();
    for node in root.list("header_types")? {
        node.only(&["fields"])?;
        let name = node.name()?;
        let mut header_type = HeaderType {
            fields: Vec::new(),
            bits: 0,
        };
        for field in node.list("fields")? {
            let (field_name, width) = load_field(&field)?;
            header_type.bits += width;
            field.at_most(
                "the bits of a header",
                header_type.bits,
                MAX_VECTOR_BYTES * 8,
            )?;
            if header_type
                .fields
                .iter()
                .any(|(other, _)| *other == field_name)
            {
                return Err(field.invalid(format!("field `{field_name}` stands twice")));
            }
            header_type.fields.push((field_name, width));
        }
        if types.insert(name.clone(), header_type).is_some() {
            return Err(node.invalid(format!("header type `{name}` stands twice")));
        }
    }
    Ok(types)
}

fn load_field(node: &Node<'_>) -> Result<(String, usize), LoadError> {
    let items = node.items()?;
    let (name, width) = match items.as_slice() {
        [name, width] => (name, width),
        [name, width, signed] => {
            if signed.boolean()? {
                return Err(node.unsupported("a signed field"));
            }
            (name, width)
        }
        [_, _, _, saturating, ..] => return Err(saturating.unsupported("a saturating field")),
        _ => return Err(node.invalid("a field is a name and a width")),
    };
    let name = name.string()?.to_owned();
    if width.string().is_ok() {
        return Err(width.unsupported(format!("field `{name}` of variable length (varbit)")));
    }
    let bits = width.count("the width of a field", MAX_VECTOR_BYTES * 8)?;
    if bits == 0 {
        return Err(width.invalid(format!("field `{name}` has no bits")));
    }
    Ok((name, bits))
}
