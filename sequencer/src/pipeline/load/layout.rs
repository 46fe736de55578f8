//! Header types and instances become places: header bytes in the vector, metadata in words.
//!
//! The vector has the headers' bytes as on the wire, one header after the other, then spare bytes for
//! containers that reach beyond the last field. The words begin with all metadata and with one word
//! for each header that is 1 when the header is valid.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::super::error::LoadError;
use super::super::field::Field;
use super::super::instruction::{Place, WORDS, Word};
use super::super::program::{Header, Intrinsic, Slot};
use super::json::Node;

/// The longest vector, in bytes.
const MAX_VECTOR_BYTES: usize = 8 * 1024;
/// Containers reach at most this far beyond their field.
const SPARE_BYTES: usize = 16;
/// Words for metadata and for validity; the rest is for parameters, temporaries and constants.
const MAX_PACKET_WORDS: usize = WORDS / 2;

/// The name of the hidden field that tells whether a header is valid.
pub(super) const VALID: &str = "$valid$";

struct HeaderType {
    /// Name and width, in order.
    fields: Vec<(String, usize)>,
    bits: usize,
}

/// A header or metadata instance as the loader knows it.
pub(super) struct Instance {
    type_name: String,
    /// Index among the headers; `None` for metadata.
    header: Option<u16>,
    fields: BTreeMap<String, Place>,
}

impl Instance {
    /// One of its fields.
    pub(super) fn member(&self, field: &str) -> Option<Place> {
        self.fields.get(field).copied()
    }

    pub(super) fn is_metadata(&self) -> bool {
        self.header.is_none()
    }

    /// Index among the headers; metadata is refused.
    pub(super) fn header(&self, node: &Node<'_>) -> Result<u16, LoadError> {
        self.header
            .ok_or_else(|| node.unsupported("metadata used as a header"))
    }

    /// Whether both have the same type.
    pub(super) fn same_type(&self, other: &Self) -> bool {
        self.type_name == other.type_name && self.is_metadata() == other.is_metadata()
    }
}

/// All instances, by name.
#[derive(Default)]
pub(super) struct Layout {
    pub(super) headers: Vec<Header>,
    instances: BTreeMap<String, Instance>,
    /// The switch's names of fields that the program names otherwise.
    aliases: BTreeMap<String, Place>,
    pub(super) vector_bytes: usize,
    pub(super) packet_words: usize,
}

impl Layout {
    pub(super) fn load(root: &Node<'_>) -> Result<Self, LoadError> {
        root.empty("header_stacks", "a header stack")?;
        root.empty("header_union_types", "a header union")?;
        root.empty("header_unions", "a header union")?;
        root.empty("header_union_stacks", "a header union stack")?;
        let types = load_types(root)?;
        let mut layout = Self::default();
        for node in root.list("headers")? {
            node.only(&["header_type", "metadata", "pi_omit"])?;
            let name = node.name()?;
            let type_node = node.get("header_type")?;
            let type_name = type_node.string()?;
            let problem = || type_node.invalid(format!("no header type `{type_name}`"));
            let header_type = types.get(type_name).ok_or_else(problem)?;
            let mut instance = if node.get("metadata")?.boolean()? {
                layout.place_metadata(&node, header_type)?
            } else {
                layout.place_header(&node, header_type)?
            };
            type_name.clone_into(&mut instance.type_name);
            if layout.instances.insert(name.clone(), instance).is_some() {
                return Err(node.invalid(format!("header `{name}` stands twice")));
            }
        }
        layout.vector_bytes += SPARE_BYTES;
        for alias in root.optional_list("field_aliases")? {
            let [name, target] = alias.tuple()?;
            let place = layout.field(&target)?;
            layout.aliases.insert(name.string()?.to_owned(), place);
        }
        Ok(layout)
    }

    /// The next `count` words.
    pub(super) fn take_words(&mut self, node: &Node<'_>, count: usize) -> Result<Word, LoadError> {
        let first = self.packet_words;
        self.packet_words =
            node.at_most("the words of all metadata", first + count, MAX_PACKET_WORDS)?;
        let word = u16::try_from(first);
        Ok(Word(word.map_err(|_| {
            node.invalid("more than 65535 words of metadata")
        })?))
    }

    fn place_metadata(
        &mut self,
        node: &Node<'_>,
        header_type: &HeaderType,
    ) -> Result<Instance, LoadError> {
        let mut fields = BTreeMap::new();
        for (name, width) in &header_type.fields {
            let place = match u8::try_from(*width) {
                Ok(width @ 1..=64) => Place::Word {
                    word: self.take_words(node, 1)?,
                    width,
                },
                Ok(width @ 65..=128) => Place::Pair {
                    word: self.take_words(node, 2)?,
                    width,
                },
                _ => return Err(too_wide(node, name, *width)),
            };
            fields.insert(name.clone(), place);
        }
        Ok(Instance {
            type_name: String::new(),
            header: None,
            fields,
        })
    }

    fn place_header(
        &mut self,
        node: &Node<'_>,
        header_type: &HeaderType,
    ) -> Result<Instance, LoadError> {
        if !header_type.bits.is_multiple_of(8) {
            return Err(node.invalid(format!("{} bits are not whole bytes", header_type.bits)));
        }
        let (offset, length) = (self.vector_bytes, header_type.bits / 8);
        self.vector_bytes = node.at_most(
            "the bytes of all headers",
            offset + length,
            MAX_VECTOR_BYTES,
        )?;
        let valid = self.take_words(node, 1)?;
        let mut fields = BTreeMap::new();
        let mut bit = 0;
        for (name, width) in &header_type.fields {
            let field = Field::packed(offset, bit, *width);
            let field = field.ok_or_else(|| too_wide(node, name, *width))?;
            fields.insert(name.clone(), Place::Header(field));
            bit += width;
        }
        fields.insert(
            VALID.to_string(),
            Place::Word {
                word: valid,
                width: 1,
            },
        );
        let index = super::index(node, self.headers.len())?;
        self.headers.push(Header {
            offset,
            length,
            valid,
        });
        Ok(Instance {
            type_name: String::new(),
            header: Some(index),
            fields,
        })
    }

    /// The instance whose name the node is.
    pub(super) fn instance(&self, node: &Node<'_>) -> Result<&Instance, LoadError> {
        let name = node.string()?;
        self.instances
            .get(name)
            .ok_or_else(|| node.invalid(format!("no header `{name}`")))
    }

    /// The field that `["header", "field"]` names.
    pub(super) fn field(&self, node: &Node<'_>) -> Result<Place, LoadError> {
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

    /// A field that is written to: not the hidden one.
    pub(super) fn written_field(&self, node: &Node<'_>) -> Result<Place, LoadError> {
        let [_, field] = node.tuple()?;
        if field.string()? == VALID {
            return Err(field.unsupported("an assignment to `$valid$`"));
        }
        self.field(node)
    }

    /// The header of the field that `["header", "field"]` names; `None` for metadata.
    pub(super) fn header_of(&self, node: &Node<'_>) -> Result<Option<&Header>, LoadError> {
        let [header, _] = node.tuple()?;
        Ok(self
            .instance(&header)?
            .header
            .map(|at| &self.headers[usize::from(at)]))
    }

    /// A field under the name by which the switch knows it.
    fn intrinsic(&self, name: &str) -> Option<Place> {
        if let Some(field) = self.aliases.get(name) {
            return Some(*field);
        }
        let (header, field) = name.split_once('.')?;
        self.instances.get(header)?.fields.get(field).copied()
    }

    /// The fields by which switch and program talk to each other.
    pub(super) fn intrinsics(&mut self, root: &Node<'_>) -> Result<Intrinsic, LoadError> {
        Ok(Intrinsic {
            ingress_port: self.port(root, "standard_metadata.ingress_port")?,
            packet_length: self.needed(root, "standard_metadata.packet_length")?,
            instance_type: self.needed(root, "standard_metadata.instance_type")?,
            egress_spec: self.port(root, "standard_metadata.egress_spec")?,
            egress_port: self.port(root, "standard_metadata.egress_port")?,
            multicast_group: self.optional(root, "intrinsic_metadata.mcast_grp")?,
            egress_rid: self.optional(root, "intrinsic_metadata.egress_rid")?,
            priority: self.optional(root, "intrinsic_metadata.priority")?,
            ingress_timestamp: self
                .optional(root, "intrinsic_metadata.ingress_global_timestamp")?,
            egress_timestamp: self.optional(root, "intrinsic_metadata.egress_global_timestamp")?,
            enqueue_timestamp: self.optional(root, "queueing_metadata.enq_timestamp")?,
            parser_error: self.optional(root, "standard_metadata.parser_error")?,
            checksum_error: self.optional(root, "standard_metadata.checksum_error")?,
        })
    }

    /// A field that the program may do without; then it is a word that nothing else uses.
    fn optional(&mut self, root: &Node<'_>, name: &str) -> Result<Slot, LoadError> {
        match self.intrinsic(name) {
            Some(Place::Word { word, width }) => Ok(Slot { word, width }),
            Some(_) => Err(root.unsupported(format!("`{name}` in a header or over 64 bits"))),
            None => Ok(Slot {
                word: self.take_words(root, 1)?,
                width: 64,
            }),
        }
    }

    fn needed(&mut self, root: &Node<'_>, name: &str) -> Result<Slot, LoadError> {
        if self.intrinsic(name).is_none() {
            return Err(root.invalid(format!("the program has no field `{name}`")));
        }
        self.optional(root, name)
    }

    fn port(&mut self, root: &Node<'_>, name: &str) -> Result<Slot, LoadError> {
        let slot = self.needed(root, name)?;
        if !(9..=16).contains(&slot.width) {
            return Err(root.unsupported(format!("`{name}` of {} bits", slot.width)));
        }
        Ok(slot)
    }
}

fn too_wide(node: &Node<'_>, name: &str, width: usize) -> LoadError {
    node.unsupported(format!(
        "field `{name}` of {width} bits, which span more than 16 bytes"
    ))
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
            // p4c writes 0 for the fields of a struct of truth values.
            if signed.unsigned() != Ok(0) && signed.boolean()? {
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
