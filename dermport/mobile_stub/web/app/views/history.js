import {fill, h, save} from '../../lib/dom.js';
import {csvOf} from '../records.js';
import {outcome} from './verdict.js';

const LOOKS = {agree: 'good', label: 'warn', decision: 'bad', waiting: 'wait', refused: 'bad', off: 'off'};

/** Everything that was asked on this phone, to look at, export and delete. */
export function historyView(app, {signal}) {
  const {i18n, records} = app;
  const content = h('div', {});
  const draw = async () => {
    const all = await records.all();
    const shown = all.length ? drawn(app, all) : h('p', {class: 'empty'}, i18n.t('history.empty'));
    if (!signal.aborted) fill(content, shown);
  };
  records.addEventListener('change', draw, {signal});
  draw();
  return [
    h('h1', {tabindex: -1}, i18n.t('history.title')),
    h('p', {class: 'lead'}, i18n.t('history.lead')),
    content,
  ];
}

function drawn(app, all) {
  const {i18n, workflow} = app;
  const notice = i18n.t('notice');
  const json = () => save('dermport-history.json', new Blob(
    [JSON.stringify({schema: 'dermport-history/1', notice, records: all}, null, 2)], {type: 'application/json'}));
  const csv = () => save('dermport-history.csv', new Blob([csvOf(all, notice)], {type: 'text/csv'}));
  const clear = async () => {
    if (confirm(i18n.t('history.clear.sure'))) for (const {id} of all) await workflow.remove(id);
  };
  return [
    h('ul', {class: 'records'}, all.map((record) => item(app, record))),
    h('div', {class: 'actions'},
      h('button', {onclick: json}, i18n.t('history.json')),
      h('button', {onclick: csv}, i18n.t('history.csv')),
      h('button', {class: 'danger', onclick: clear}, i18n.t('history.clear'))),
  ];
}

function said(i18n, {label, positive, rule}, name) {
  return positive === null && rule !== null ? i18n.t('decision.cannot-tell') : name(label);
}

function item({i18n, records}, record) {
  const {answer, state} = record.jetson;
  const ended = answer ? outcome(answer.verdict) : state;
  const picture = records.picture(record.id);
  const other = answer && !answer.verdict.same_label;
  const name = (id) => i18n.label(record.labels.find((label) => label.id === id) ?? {id, name: id});
  return h('li', {}, h('a', {class: 'card record', href: `#result/${record.id}`},
    picture ? h('img', {class: 'thumbnail', src: picture, alt: ''}) : h('span', {class: 'thumbnail'}),
    h('span', {class: 'what'},
      h('span', {class: 'strong'}, said(i18n, record.phone, name)),
      other && h('span', {}, `${i18n.t('side.jetson')}: ${name(answer.server.label)}`),
      h('time', {class: 'quiet', datetime: record.created}, i18n.time(record.created))),
    h('span', {class: `tag ${LOOKS[ended]}`}, i18n.t(`history.${ended}`))));
}
