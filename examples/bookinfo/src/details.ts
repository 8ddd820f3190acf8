import { startDetails } from './details/service.ts';
import { runService } from './http/run.ts';

await runService('details', startDetails);
