import type { Surroundings } from './surroundings.ts';

/** For tests: always the same. */
export const TEST_SURROUNDINGS: Surroundings = {
  hostName: 'test-host',
  environment: () => null,
  now: () => 0,
  uuid: () => '00000000-0000-4000-8000-000000000000',
};
