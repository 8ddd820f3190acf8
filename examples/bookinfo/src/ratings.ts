import { startRatings } from './ratings/service.ts';
import { runService } from './http/run.ts';

await runService('ratings', startRatings);
