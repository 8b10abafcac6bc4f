//! Messages that all signals share.

use super::{
    Kind::{Base64, Bool, Double, Int64, Message as Nested, Text, Uint32},
    Message, Role, many, message, one,
};

pub(super) static RESOURCE: Message = message(
    "Resource",
    Role::Part,
    &[
        many(1, "attributes", Nested(&KEY_VALUE)),
        one(2, "droppedAttributesCount", Uint32),
        many(3, "entityRefs", Nested(&ENTITY_REF)),
    ],
);

static ENTITY_REF: Message = message(
    "EntityRef",
    Role::Part,
    &[
        one(1, "schemaUrl", Text),
        one(2, "type", Text),
        many(3, "idKeys", Text),
        many(4, "descriptionKeys", Text),
    ],
);

pub(super) static SCOPE: Message = message(
    "InstrumentationScope",
    Role::Part,
    &[
        one(1, "name", Text),
        one(2, "version", Text),
        many(3, "attributes", Nested(&KEY_VALUE)),
        one(4, "droppedAttributesCount", Uint32),
    ],
);

/// `KeyValue`: an attribute.
pub(in crate::decode) static KEY_VALUE: Message = message(
    "KeyValue",
    Role::Part,
    &[one(1, "key", Text), one(2, "value", Nested(&ANY_VALUE))],
);

pub(super) static ANY_VALUE: Message = message(
    "AnyValue",
    Role::Part,
    &[
        one(1, "stringValue", Text),
        one(2, "boolValue", Bool),
        one(3, "intValue", Int64),
        one(4, "doubleValue", Double),
        one(5, "arrayValue", Nested(&ARRAY_VALUE)),
        one(6, "kvlistValue", Nested(&KEY_VALUE_LIST)),
        one(7, "bytesValue", Base64),
    ],
);

static ARRAY_VALUE: Message = message(
    "ArrayValue",
    Role::List,
    &[many(1, "values", Nested(&ANY_VALUE))],
);

static KEY_VALUE_LIST: Message = message(
    "KeyValueList",
    Role::List,
    &[many(1, "values", Nested(&KEY_VALUE))],
);
