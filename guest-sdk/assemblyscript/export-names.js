// A transform of the compiler: gives exports the names that the component model wants, which no identifier can have.

const SDK = '~lib/weir-guest/assembly';
const INTERFACE = 'weir:operator/transform@0.1.0#';

/** What the entry exports: where the function is, and the name that its export gets. */
const EXPORTS = {
  configure: [`${SDK}/exports/transform/configure`, `${INTERFACE}configure`],
  configured: [`${SDK}/exports/transform/configured`, `cabi_post_${INTERFACE}configure`],
  apply: [`${SDK}/exports/transform/apply`, `${INTERFACE}apply`],
  applied: [`${SDK}/exports/transform/applied`, `cabi_post_${INTERFACE}apply`],
  reallocate: [`${SDK}/memory/reallocate`, 'cabi_realloc'],
};

export default class ExportNames {
  afterCompile(module) {
    for (const [exported, [internal, name]] of Object.entries(EXPORTS)) {
      module.removeExport(exported);
      module.addFunctionExport(internal, name);
    }
  }
}
