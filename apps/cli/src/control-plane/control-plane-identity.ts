/** Identity of the embedded control plane's own servers, Istio's name for it. */
export const CONTROL_PLANE_IDENTITY = { namespace: 'istio-system', serviceAccount: 'istiod' } as const;
