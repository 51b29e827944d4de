import {fill, h, save} from '../dom.js';
import {csvOf} from '../records.js';
import {outcome} from './verdict.js';

const LOOKS = {agree: 'good', label: 'warn', decision: 'bad', waiting: 'wait', refused: 'bad', off: 'off'};

/** Everything that was asked on this phone, to look at, export and delete. */
export function historyView(app, {signal}) {
  const {words, records} = app;
  const content = h('div', {});
  const draw = async () => {
    const all = await records.all();
    const shown = all.length ? drawn(app, all) : h('p', {class: 'empty'}, words.say('history.empty'));
    if (!signal.aborted) fill(content, shown);
  };
  records.addEventListener('change', draw, {signal});
  draw();
  return [
    h('h1', {tabindex: -1}, words.say('history.title')),
    h('p', {class: 'lead'}, words.say('history.lead')),
    content,
  ];
}

function drawn(app, all) {
  const {words, trials} = app;
  const notice = words.say('notice');
  const json = () => save('dermport-history.json', 'application/json',
    JSON.stringify({schema: 'dermport-history/1', notice, records: all}, null, 2));
  const csv = () => save('dermport-history.csv', 'text/csv', csvOf(all, notice));
  const clear = async () => {
    if (confirm(words.say('history.clear.sure'))) for (const {id} of all) await trials.remove(id);
  };
  return [
    h('ul', {class: 'records'}, all.map((record) => item(app, record))),
    h('div', {class: 'actions'},
      h('button', {on: {click: json}}, words.say('history.json')),
      h('button', {on: {click: csv}}, words.say('history.csv')),
      h('button', {class: 'danger', on: {click: clear}}, words.say('history.clear'))),
  ];
}

function said(words, {label, positive}, name) {
  return positive === null ? words.say('decision.cannot-tell') : name(label);
}

function item({words, records}, record) {
  const {answer, state} = record.jetson;
  const ended = answer ? outcome(answer.verdict) : state;
  const picture = records.picture(record.id);
  const other = answer && !answer.verdict.same_label;
  const name = (id) => words.label(record.labels.find((label) => label.id === id) ?? {id, name: id});
  return h('li', {}, h('a', {class: 'card record', href: `#result/${record.id}`},
    picture ? h('img', {class: 'thumbnail', src: picture, alt: ''}) : h('span', {class: 'thumbnail'}),
    h('span', {class: 'what'},
      h('span', {class: 'strong'}, said(words, record.phone, name)),
      other && h('span', {}, `${words.say('side.jetson')}: ${name(answer.server.label)}`),
      h('time', {class: 'quiet', datetime: record.created}, words.time(record.created))),
    h('span', {class: `tag ${LOOKS[ended]}`}, words.say(`history.${ended}`))));
}
