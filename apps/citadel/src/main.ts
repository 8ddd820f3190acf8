import { runService } from '@flotilla/service';
import { citadelService } from './service.ts';

process.exit(await runService(citadelService, process.argv.slice(2)));
