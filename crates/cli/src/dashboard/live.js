// What `--dashboard` adds to the page: it is told what happens, until the run is over.
const state = text => { $('state').textContent = text; };
document.title = 'dframe, running';
document.querySelector('h1').textContent = 'A query, as it runs';
state('Connecting ..');
const source = new EventSource('events' + location.search);
const hear = (name, action) => source.addEventListener(name, event => {
  const told = JSON.parse(event.data);
  action(told);
  if (told.graph) $('graph').innerHTML = told.graph;
});
hear('snapshot', told => {
  const [from, to] = view, zoomed = from > 0 || to < whole;
  forget();
  take(told);
  if (zoomed) { view = [from, to]; redraw(); }
  state('Running.');
});
hear('update', take);
hear('done', told => {
  source.close();
  $('outcome').textContent = told.outcome;
  document.title = told.outcome ? 'dframe, failed' : 'dframe, done';
  state(told.outcome ? 'The run has failed. This page stays until it is closed.' : 'The run is over. This page stays until it is closed.');
});
source.onerror = () => { state('No connection: the run was stopped, or has ended before this page could be told.'); };
