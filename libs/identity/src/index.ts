export { openCitadelIdentity, type CitadelIdentityOptions } from './citadel.ts';
export { openFileIdentity, type FileIdentityOptions } from './files.ts';
export { openLocalIdentity, type LocalIdentityOptions } from './local.ts';
export { createStaticIdentity } from './static.ts';
export type { IdentitySource } from '@flotilla/spiffe';
