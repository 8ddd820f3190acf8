export { makeDirectory, replaceDurably, syncDirectory, writeDurably } from './durable.ts';
export { checkedWish, openInventory, type Inventory, type InventoryOptions, type Part } from './inventory.ts';
export { pinFiles } from './pin-files.ts';
export {
  assertFolderIsKept,
  assertPrivateFile,
  assertPrivateFolder,
  parseSecretMode,
  PRIVATE_FILE_MODE,
  readSecretFile,
  type ReadSecretOptions,
} from './secret-file.ts';
export { assertWritable, reasonOf, whyUnwritable } from './unwritable.ts';
export {
  countLines,
  DEFAULT_LOG_BOUNDS,
  openRotatingFile,
  type LogBounds,
  type LogLoss,
  type RotatingFile,
  type RotatingFileOptions,
} from './rotating-file.ts';
