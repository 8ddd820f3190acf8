export * from './durable.ts';
export * from './inventory.ts';
export * from './pin-files.ts';
