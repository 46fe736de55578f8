//! The macro by which a table of a program becomes Rust types.

/// Declares a table of the program as Rust types: a marker for the table, a struct for its key, an
/// enum for its actions.
///
/// Each field is `name: Type = "name in the P4Info": bits`. The type of a key's field says how it
/// is matched: a plain value is exact, `Prefix<T>` lpm, `Ternary<T>`, `Range<T>`, and `Option<T>`
/// optional. A width that the type cannot hold does not compile; whether the program agrees is
/// checked by [`crate::table::BoundTable::new`] or [`crate::table::verify`].
///
/// ```
/// use p4runtime::table::Prefix;
/// use std::net::Ipv4Addr;
///
/// p4runtime::p4_table! {
///     /// Routes to hosts and other switches.
///     pub table ForwardTable = "forward";
///     /// What is looked up.
///     pub key ForwardKey {
///         /// The destination.
///         destination: Prefix<Ipv4Addr> = "hdr.ipv4.dst_addr": 32,
///     }
///     /// What is done.
///     pub action ForwardAction {
///         /// Send there.
///         ToPort = "to_port" {
///             /// The port of the switch.
///             port: u16 = "port": 9,
///         },
///         /// Drop and count.
///         NoRoute = "no_route" {},
///     }
/// }
///
/// let entry = p4runtime::Entry::<ForwardTable> {
///     key: ForwardKey { destination: Prefix { value: Ipv4Addr::new(10, 0, 0, 0), length: 8 } },
///     action: ForwardAction::ToPort { port: 3 },
///     priority: 0,
/// };
/// assert_eq!(entry.action, ForwardAction::ToPort { port: 3 });
/// ```
#[macro_export]
macro_rules! p4_table {
    (
        $(#[$table_meta:meta])*
        $table_visibility:vis table $table:ident = $table_name:literal;
        $(#[$key_meta:meta])*
        $key_visibility:vis key $key:ident {
            $(
                $(#[$field_meta:meta])*
                $field:ident: $field_type:ty = $field_name:literal: $field_bits:literal
            ),* $(,)?
        }
        $(#[$action_meta:meta])*
        $action_visibility:vis action $action:ident {
            $(
                $(#[$variant_meta:meta])*
                $variant:ident = $variant_name:literal {
                    $(
                        $(#[$param_meta:meta])*
                        $param:ident: $param_type:ty = $param_name:literal: $param_bits:literal
                    ),* $(,)?
                }
            ),* $(,)?
        }
    ) => {
        $(#[$table_meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $table_visibility enum $table {}

        impl $crate::table::Table for $table {
            type Key = $key;
            type Action = $action;
            const NAME: &'static str = $table_name;
        }

        $(#[$key_meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $key_visibility struct $key {
            $($(#[$field_meta])* pub $field: $field_type,)*
        }

        const _: () = {
            $(assert!(
                $field_bits <= <$field_type as $crate::table::MatchValue>::BITS,
                concat!("the type of ", stringify!($field), " is too narrow for the field"),
            );)*
            $($(assert!(
                $param_bits <= <$param_type as $crate::table::FieldValue>::BITS,
                concat!("the type of ", stringify!($param), " is too narrow for the parameter"),
            );)*)*
        };

        impl $crate::table::Key for $key {
            const FIELDS: &'static [$crate::table::FieldShape] = &[
                $($crate::table::FieldShape {
                    name: $field_name,
                    kind: <$field_type as $crate::table::MatchValue>::KIND,
                    bits: $field_bits,
                },)*
            ];
            fn to_patterns(&self) -> ::std::vec::Vec<$crate::table::Pattern> {
                ::std::vec![
                    $($crate::table::MatchValue::to_pattern(&self.$field, $field_bits),)*
                ]
            }
            fn from_patterns(
                patterns: &[$crate::table::Pattern],
            ) -> ::std::option::Option<Self> {
                #[allow(unused_mut, unused_variables, reason = "a key may have no field")]
                let mut patterns = patterns.iter();
                ::std::option::Option::Some(Self {
                    $($field: $crate::table::MatchValue::from_pattern(
                        *patterns.next()?,
                        $field_bits,
                    )?,)*
                })
            }
        }

        $(#[$action_meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $action_visibility enum $action {
            $(
                $(#[$variant_meta])*
                $variant { $($(#[$param_meta])* $param: $param_type,)* },
            )*
        }

        impl $crate::table::Action for $action {
            const ACTIONS: &'static [$crate::table::ActionShape] = &[
                $($crate::table::ActionShape {
                    name: $variant_name,
                    params: &[
                        $($crate::table::ParamShape {
                            name: $param_name,
                            bits: $param_bits,
                        },)*
                    ],
                },)*
            ];
            fn name(&self) -> &'static str {
                match self {
                    $(Self::$variant { .. } => $variant_name,)*
                }
            }
            fn to_arguments(&self) -> ::std::vec::Vec<u128> {
                match *self {
                    $(Self::$variant { $($param,)* } => ::std::vec![
                        $($crate::table::FieldValue::to_bits($param),)*
                    ],)*
                }
            }
            fn from_arguments(name: &str, arguments: &[u128]) -> ::std::option::Option<Self> {
                #[allow(unused_mut, unused_variables, reason = "actions may have no parameter")]
                let mut arguments = arguments.iter();
                match name {
                    $($variant_name => ::std::option::Option::Some(Self::$variant {
                        $($param: $crate::table::FieldValue::from_bits(*arguments.next()?)?,)*
                    }),)*
                    _ => ::std::option::Option::None,
                }
            }
        }
    };
}
