/**
 * Benchmarks of whole meshes: `npm run bench -- <name> [settings]`. Each is a file beside this one and says itself what
 * it measures and needs.
 */
const BENCHES: Readonly<Record<string, () => Promise<{ run(argv: readonly string[]): Promise<void> }>>> = {
  capture: () => import('./capture.ts'),
  fanout: () => import('./fanout.ts'),
  pilot: () => import('./pilot.ts'),
  proxy: () => import('./proxy.ts'),
  soak: () => import('./soak.ts'),
};

const [name = '', ...argv] = process.argv.slice(2);
const load = BENCHES[name];
if (load === undefined) {
  console.error(`usage: npm run bench -- <${Object.keys(BENCHES).join('|')}> [settings]`);
  process.exitCode = 2;
} else {
  await (await load()).run(argv);
}
