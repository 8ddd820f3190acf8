export { startGalley, type Galley, type GalleyOptions } from './start.ts';
export type { Authorise } from './serve/service.ts';
export { validateDocuments, type ValidateDocumentsOptions } from './validate-documents.ts';
export type { TextDocument } from './decode/decode-documents.ts';
export type { StoreOptions } from './store/open-store.ts';
