import process from 'node:process';
import { runService } from './http/run.ts';
import { startReviews } from './reviews/service.ts';
import { parseReviewsSettings } from './reviews/settings.ts';

await runService('reviews', (address) => startReviews(parseReviewsSettings(process.env), address));
