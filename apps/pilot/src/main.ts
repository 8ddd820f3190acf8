import { runService } from '@flotilla/service';
import { pilotService } from './service.ts';

process.exit(await runService(pilotService, process.argv.slice(2)));
