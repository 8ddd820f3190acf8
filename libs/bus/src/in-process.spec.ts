import { createInProcessBus } from './in-process.ts';
import { versionBusSuite } from './version-bus.suite.ts';

versionBusSuite({
  make: async () => createInProcessBus(),
  interrupt: (bus, during) => bus.interrupt(during),
});
