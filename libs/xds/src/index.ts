export { HEALTH_TYPE_URL, TYPE_URLS, hasWildcard, shortNameOf, typeUrlOf, type XdsShortName } from './type-urls.ts';
export { PUSH_ORDER, REMOVAL_ORDER, inPushOrder } from './push-order.ts';
export { contentVersion, setVersion } from './version.ts';
export {
  applyDeltaRequest,
  freshDeltaSubscription,
  isSubscribed,
  markDeltaSent,
  planDelta,
  requireAnswer,
  settleDelta,
  type DeltaAnswer,
  type DeltaOffer,
  type DeltaPlan,
  type DeltaRequestFields,
  type DeltaRequestOutcome,
  type DeltaSubscription,
} from './delta-subscription.ts';
export {
  applySotwRequest,
  freshSotwSubscription,
  markSotwSent,
  type SotwRequestFields,
  type SotwRequestKind,
  type SotwRequestOutcome,
  type SotwSubscription,
} from './sotw-subscription.ts';
export {
  acceptSotw,
  openSotw,
  receiveSotw,
  refuseSotw,
  sotwClient,
  subscribeSotw,
  type SotwClientState,
  type SotwRequestInit,
  type SotwResponseFields,
} from './sotw-client.ts';
export {
  acceptDelta,
  deltaClient,
  openDelta,
  refuseDelta,
  subscribeDelta,
  type DeltaClientState,
  type DeltaRequestInit,
  type DeltaResponseFields,
} from './delta-client.ts';
