export { startCitadel, type Citadel, type CitadelOptions } from './start.ts';
