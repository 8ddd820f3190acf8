import { defineConfig } from 'vitest/config';

const MESHES = ['apps/cli/src/journeys/**/*.spec.ts', 'tools/chaos/chaos.spec.ts'];

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'code',
          include: ['{apps,libs,examples,tools}/**/*.spec.ts'],
          exclude: ['**/node_modules/**', ...MESHES],
          // Whatever runs a proxy in its own process.
          setupFiles: ['apps/proxy/src/sockets/testing-spoil.ts'],
          testTimeout: 20_000,
          hookTimeout: 60_000,
        },
      },
      {
        // Whole meshes of a dozen processes: one at a time, and after everything else.
        test: {
          name: 'meshes',
          include: MESHES,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
