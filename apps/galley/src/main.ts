import { runService } from '@flotilla/service';
import { galleyService } from './service.ts';

process.exit(await runService(galleyService, process.argv.slice(2)));
