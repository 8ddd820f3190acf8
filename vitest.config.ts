import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** A mesh under a steady load for minutes, which leaves most of the machine idle and takes the time of others first. */
const STEADY = ['tools/chaos/chaos.spec.ts', 'apps/cli/src/journeys/namespaces/stalled-control-plane.spec.ts'];
/** Whole meshes of a dozen processes. */
const MESHES = ['apps/cli/src/journeys/**/*.spec.ts'];
/** What takes longest begins first, so that nothing is waited for alone. */
const LONGEST_FIRST = [
  ...STEADY,
  'apps/proxy/conformance/conformance.spec.ts',
  'apps/proxy/src/journeys/two-proxies.spec.ts',
  'apps/galley/src/journeys/redis-kill-9.spec.ts',
];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const index = LONGEST_FIRST.findIndex((path) => moduleId.endsWith(`/${path}`));
      return index < 0 ? LONGEST_FIRST.length : index;
    };
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b));
  }
}

export default defineConfig({
  test: {
    maxWorkers: availableParallelism() + 1,
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        test: {
          name: 'code',
          include: ['{apps,libs,examples,tools}/**/*.spec.ts'],
          exclude: ['**/node_modules/**', ...STEADY, ...MESHES],
          // Whatever runs a proxy in its own process.
          setupFiles: ['apps/proxy/src/sockets/testing-spoil.ts'],
          testTimeout: 20_000,
          hookTimeout: 60_000,
        },
      },
      { test: { name: 'steady', include: STEADY, testTimeout: 30_000, hookTimeout: 60_000 } },
      {
        // One at a time, and after everything else.
        test: {
          name: 'meshes',
          include: MESHES,
          exclude: ['**/node_modules/**', ...STEADY],
          fileParallelism: false,
          sequence: { groupOrder: 1 },
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
