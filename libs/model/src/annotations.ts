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

/** Annotation of an automatic WorkloadEntry: which of several proxies of one name it stands for. */
export const INSTANCE_ANNOTATION = 'flotilla.io/instance';

/**
 * Annotation of a WorkloadGroup, or of what makes pods: of which type its proxies are, `sidecar` (the default) or
 * `router`, which is a gateway.
 */
export const PROXY_TYPE_ANNOTATION = 'flotilla.io/proxy-type';

/** Annotation of a WorkloadGroup: the IP addresses that its workloads may have, separated by commas. Default: any. */
export const ADDRESSES_ANNOTATION = 'flotilla.io/addresses';
