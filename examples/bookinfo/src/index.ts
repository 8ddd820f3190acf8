export { proxyEnvironment, serviceUrl, type Environment } from './http/environment.ts';
export type { ListenAddress, RunningService } from './http/service.ts';
export { startDetails } from './details/service.ts';
export { startProductpage } from './productpage/service.ts';
export { parseProductpageSettings, type ProductpageSettings } from './productpage/settings.ts';
export { startRatings } from './ratings/service.ts';
export { startReviews } from './reviews/service.ts';
export { parseReviewsSettings, type ReviewsSettings } from './reviews/settings.ts';
