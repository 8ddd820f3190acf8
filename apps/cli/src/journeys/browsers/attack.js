/** Tried by a page, at every port it knows: what it sees of each is what the page says at the end. */
async function attack(ports, changes) {
  const seen = [];
  const read = async (url, init) => {
    try {
      const response = await fetch(url, init);
      const text = response.type === 'opaque' ? '' : await response.text();
      if (text !== '') seen.push(`${init.method ?? 'GET'} ${url}: ${response.status} ${text.slice(0, 80)}`);
    } catch {
      // The browser did not let it through.
    }
  };
  const load = (tag, src) =>
    new Promise((resolve) => {
      const element = Object.assign(document.createElement(tag), { src });
      element.onload = () => {
        if (tag !== 'iframe') seen.push(`${tag} ${src} loaded`);
        resolve();
      };
      element.onerror = () => resolve();
      document.body.append(element);
    });
  const submit = (action) =>
    new Promise((resolve) => {
      const frame = Object.assign(document.createElement('iframe'), { name: `to ${action}` });
      const form = Object.assign(document.createElement('form'), { action, method: 'post', target: frame.name });
      document.body.append(frame, form);
      frame.onload = () => resolve();
      form.submit();
    });
  for (const port of ports) {
    const at = `http://127.0.0.1:${port}`;
    for (const path of changes) {
      await submit(at + path);
      await read(at + path, { method: 'POST', mode: 'no-cors' });
      await read(at + path, { method: 'POST', headers: { 'x-preflight': '1' } });
    }
    for (const path of [
      '/config_dump',
      '/stats?format=json',
      '/flotilla.galley.v1.GalleyService/List?encoding=json&message=%7B%7D',
    ]) {
      await read(at + path, {});
      await read(`http://localhost:${port}${path}`, { credentials: 'include' });
      await load('script', at + path);
      await load('img', at + path);
    }
    await load('iframe', `${at}/config_dump`);
    const json = { 'content-type': 'application/json' };
    await read(`${at}/flotilla.galley.v1.GalleyService/List`, { method: 'POST', headers: json, body: '{}' });
    await read(`${at}/flotilla.galley.v1.GalleyService/List`, { method: 'POST', mode: 'no-cors', body: '{}' });
  }
  return seen;
}
