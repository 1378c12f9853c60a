//! Enums that are one text column.

/// Defines a closed enum stored as text, each variant under a name that never changes.
macro_rules! text_enum {
    (
        $(#[$doc:meta])* $name:ident {
            $($(#[$variant_doc:meta])* $variant:ident = $text:literal),+ $(,)?
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        #[expect(clippy::exhaustive_enums, reason = "the states are the contract")]
        pub enum $name {
            $($(#[$variant_doc])* #[cfg_attr(feature = "serde", serde(rename = $text))] $variant),+
        }

        impl $name {
            /// All of them, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name in tables, views and bindings.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text),+
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl $crate::storage::Field for $name {
            const KIND: $crate::storage::Kind = $crate::storage::Kind::Text;
            fn to_value(&self) -> $crate::storage::Value {
                $crate::storage::Value::Text(self.as_str().to_owned())
            }
            fn from_value(value: $crate::storage::Value) -> Option<Self> {
                let text = String::from_value(value)?;
                Self::ALL.iter().copied().find(|one| one.as_str() == text)
            }
        }
    };
}

pub(crate) use text_enum;
