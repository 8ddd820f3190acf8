export { startGalley, type Galley, type GalleyOptions } from './start.ts';
export { compileAccess, type AccessOptions, type AccessPolicy } from './serve/access.ts';
export type { WriteScope } from './write/scope.ts';
export { validateDocuments, type ValidateDocumentsOptions } from './validate-documents.ts';
export type { TextDocument } from './decode/decode-documents.ts';
export { galleyService } from './service.ts';
