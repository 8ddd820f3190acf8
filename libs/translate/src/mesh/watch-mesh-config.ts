import { type Clock, FlotillaError, type Timer } from '@flotilla/runtime';
import type { Logger } from '@flotilla/observe';
import type { MeshConfig } from '@flotilla/wire/istio/mesh/v1alpha1/config_pb.js';
import { loadMeshConfig } from './load-mesh-config.ts';

export interface WatchMeshConfigOptions {
  readonly file: string;
  /** Takes what was read, anew with every look; may throw `invalid`. */
  readonly onRead: (config: MeshConfig) => void;
  readonly clock: Clock;
  readonly logger: Logger;
}

// Platforms swap files by links, which no watch sees well.
const LOOK_EVERY_MS = 5_000;

/**
 * Reads a MeshConfig file again every few seconds. What cannot be used is said once, and the last good one stays. Returns
 * what ends it.
 */
export function watchMeshConfig({ file, onRead, clock, logger }: WatchMeshConfigOptions): () => void {
  let complaint = '';
  let timer: Timer;
  let isClosed = false;
  const look = async (): Promise<void> => {
    try {
      const config = await loadMeshConfig(file);
      if (!isClosed) onRead(config);
      complaint = '';
    } catch (error) {
      const { message } = FlotillaError.from(error);
      if (message !== complaint)
        logger.warn('the mesh configuration cannot be used, the last good one stays', { file, why: message });
      complaint = message;
    }
    if (!isClosed) lookLater();
  };
  const lookLater = (): void => {
    timer = clock.after(LOOK_EVERY_MS, () => void look());
  };
  lookLater();
  return () => {
    isClosed = true;
    timer.cancel();
  };
}
