// A transform of the compiler: gives exports the names that the component model wants, which no identifier can have.

const SDK = '~lib/weir-guest/assembly';

/** The functions of each world's interface. */
const FUNCTIONS = {
  transform: ['configure', 'apply'],
  aggregate: ['configure', 'create', 'merge', 'retract', 'finish'],
  state: ['configure', 'update'],
};

export default class ExportNames {
  afterCompile(module) {
    // The entry exports all functions of its world, and no other world has them all.
    const [world, functions] = Object.entries(FUNCTIONS).find(([, names]) => names.every((name) => module.getExport(name)));
    const place = `${SDK}/exports/${world}`;
    for (const name of [...functions, 'answered', 'reallocate']) module.removeExport(name);
    for (const name of functions) {
      module.addFunctionExport(`${place}/${name}`, `weir:operator/${world}@0.1.0#${name}`);
      module.addFunctionExport(`${place}/answered`, `cabi_post_weir:operator/${world}@0.1.0#${name}`);
    }
    module.addFunctionExport(`${SDK}/memory/reallocate`, 'cabi_realloc');
  }
}
