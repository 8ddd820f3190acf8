/**
 * Annotation of the WorkloadEntries that pilot makes for connected proxies and removes after them. Its value says of
 * which kind the origin is.
 */
export const AUTOMATIC_ANNOTATION = 'flotilla.io/automatic';

/** Annotation of an automatic WorkloadEntry: name of the workload, without what makes the entry's name unique. */
export const WORKLOAD_ANNOTATION = 'flotilla.io/workload';

/**
 * Annotation of an automatic WorkloadEntry: id of the pilot that the proxy connected to last, which removes the entry
 * after it. Without one, nobody does but those that look for what was left behind.
 */
export const CONTROLLER_ANNOTATION = 'flotilla.io/controller';
