/**
 * Annotation of the WorkloadEntries that pilot makes for connected proxies and removes after them. Its value says of
 * which kind the origin is.
 */
export const AUTOMATIC_ANNOTATION = 'flotilla.io/automatic';

/** Annotation of an automatic WorkloadEntry: name of the workload, without what makes the entry's name unique. */
export const WORKLOAD_ANNOTATION = 'flotilla.io/workload';
