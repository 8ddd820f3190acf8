import { createInProcessBus } from './in-process.ts';
import { versionBusSuite } from './version-bus.suite.ts';

versionBusSuite(async () => createInProcessBus());
