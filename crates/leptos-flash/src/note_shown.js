const noteShown = () => {
  const cookies = document.cookie.split('; ').map(cookie => cookie.split('=')).filter(([name]) => name.startsWith('flash-'));
  const write = (name, value) => {
    const secure = location.protocol == 'https:' ? '; Secure' : '';
    document.cookie = `${name}=${value}; Path=/; Max-Age=${value ? 86400 : 0}; SameSite=Lax${secure}`;
  };
  const shown = [...document.querySelectorAll('[data-flash-id]:not([data-flash-sticky])')].map(({dataset}) => dataset);
  if (!shown.length) return;
  const own = `flash-${shown[0].flashScope}`;
  const others = cookies.filter(([name]) => name != own);
  for (const [name, value] of others) if (!value || others.length > 3) write(name, '');
  const now = Date.now().toString(36);
  const before = cookies.find(([name]) => name == own)?.[1].split('-') ?? [];
  const since = before.filter(entry => parseInt(entry.split('.')[1], 36) >= Math.floor(performance.timeOrigin));
  const ids = shown.flatMap(({flashId, flashAlso}) => [flashId, ...flashAlso?.split(',') ?? []]).slice(-40);
  // WASM may have noted them before this script ran.
  const fresh = ids.filter(id => !since.some(entry => entry.startsWith(`${id}.`)));
  write(own, [...since, ...fresh.map(id => `${id}.${now}`)].slice(-40).join('-'));
};
document.prerendering ? document.addEventListener('prerenderingchange', noteShown, {once: true}) : noteShown();
