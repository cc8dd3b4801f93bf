//! A component's functions held against the interface as it was released, type by type.
//!
//! Both are put into one component, of which nothing is ever run: only there can their types be compared.

use wasmparser::component_types::{ComponentAnyTypeId, ComponentEntityType, ComponentInstanceTypeId, ComponentType};
use wasmparser::types::Types;
use wasmparser::{Parser, ValidPayload, Validator};

use super::{InterfaceVersion, Kind, NotAnOperator, World};

/// The header of a component.
const HEADER: [u8; 8] = *b"\0asm\x0d\0\x01\0";

/// The section that holds a component within another.
const COMPONENT_SECTION: u8 = 4;

/// Refuses a component whose functions are not those of its world.
pub(super) fn check(component: &[u8], kind: Kind) -> Result<(), NotAnOperator> {
    let invalid = |error: anyhow::Error| NotAnOperator::Invalid(format!("{error:#}"));
    let types = both(component, kind.version).map_err(invalid)?;
    let (released, found) = (&types[types.component_at(0)], &types[types.component_at(1)]);
    let migrates = kind.world == World::State && found.exports.contains_key(&kind.version.interface("migrate"));
    let name = kind.world.wit_name(migrates);
    let Some(world) = world(&types, released, kind.version, &name) else {
        return Err(invalid(anyhow::anyhow!("this host's own copy of the interface has no world `{name}`")));
    };
    exports(&types, world, found, kind)?;
    imports(&types, world, found, kind.version)
}

/// The types of the interface, as component 0, and of a component, as component 1.
fn both(component: &[u8], version: InterfaceVersion) -> anyhow::Result<Types> {
    let (resolve, package) = version.read()?;
    let mut bytes = HEADER.to_vec();
    for part in [&wit_component::encode(&resolve, package)?, component] {
        bytes.push(COMPONENT_SECTION);
        leb128(part.len(), &mut bytes);
        bytes.extend_from_slice(part);
    }
    let mut validator = Validator::new();
    let mut types = None;
    for payload in Parser::new(0).parse_all(&bytes) {
        // Functions' bodies have been looked at.
        if let ValidPayload::End(ended) = validator.payload(&payload?)? {
            types = Some(ended);
        }
    }
    types.ok_or_else(|| anyhow::anyhow!("it has no end"))
}

fn leb128(mut number: usize, to: &mut Vec<u8>) {
    while number >= 0x80 {
        to.push(number as u8 | 0x80);
        number >>= 7;
    }
    to.push(number as u8);
}

/// The type of a component of this world. A package exports each of its worlds as a type, wrapped in another.
fn world<'t>(
    types: &'t Types,
    released: &ComponentType,
    version: InterfaceVersion,
    name: &str,
) -> Option<&'t ComponentType> {
    let ComponentEntityType::Type { referenced: ComponentAnyTypeId::Component(wrapped), .. } =
        released.exports.get(name)?.ty
    else {
        return None;
    };
    match types[wrapped].exports.get(&version.interface(name))?.ty {
        ComponentEntityType::Component(world) => Some(&types[world]),
        _ => None,
    }
}

/// Each function of the world's interfaces must be there, and be what it should be.
fn exports(types: &Types, world: &ComponentType, found: &ComponentType, kind: Kind) -> Result<(), NotAnOperator> {
    let Kind { world: of, version, .. } = kind;
    for (interface, wanted) in &world.exports {
        let exported = instance(found.exports.get(interface).map(|item| item.ty));
        for (function, wanted) in functions(types, instance(Some(wanted.ty))) {
            let (interface, name) = (interface.clone(), function.to_owned());
            match functions(types, exported).find(|(name, _)| *name == function) {
                None => return Err(NotAnOperator::NoFunction { world: of, interface, function: name }),
                Some((_, given)) if !fits(types, given, wanted) => {
                    return Err(NotAnOperator::OtherType { verb: "exports", interface, function: name, version });
                }
                Some(_) => {}
            }
        }
    }
    Ok(())
}

/// Each function that is wanted of this host must be one that it offers.
fn imports(
    types: &Types,
    world: &ComponentType,
    found: &ComponentType,
    version: InterfaceVersion,
) -> Result<(), NotAnOperator> {
    for (interface, item) in found.imports.iter().filter(|(name, _)| InterfaceVersion::of(name).is_some()) {
        let offered = instance(world.imports.get(interface).map(|item| item.ty));
        for (function, wanted) in functions(types, instance(Some(item.ty))) {
            let given = functions(types, offered).find(|(name, _)| *name == function);
            if !given.is_some_and(|(_, given)| fits(types, given, wanted)) {
                let (interface, function) = (interface.clone(), function.to_owned());
                return Err(NotAnOperator::OtherType { verb: "imports", interface, function, version });
            }
        }
    }
    Ok(())
}

fn fits(types: &Types, given: ComponentEntityType, wanted: ComponentEntityType) -> bool {
    ComponentEntityType::is_subtype_of(&given, types.as_ref(), &wanted, types.as_ref())
}

fn instance(ty: Option<ComponentEntityType>) -> Option<ComponentInstanceTypeId> {
    match ty? {
        ComponentEntityType::Instance(instance) => Some(instance),
        _ => None,
    }
}

/// The functions of an interface; the types in it are compared through those.
fn functions(
    types: &Types,
    interface: Option<ComponentInstanceTypeId>,
) -> impl Iterator<Item = (&str, ComponentEntityType)> {
    let exports = interface.into_iter().flat_map(|interface| &types[interface].exports);
    exports
        .filter(|(_, item)| matches!(item.ty, ComponentEntityType::Func(_)))
        .map(|(name, item)| (name.as_str(), item.ty))
}
