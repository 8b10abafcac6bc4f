// A server that asks who it is, for pages that the mock API has no use for.

import type { Audit, KeyList, ProjectList, Session, SessionList, UserList } from '../src/api/types.ts'
import type { Page } from '@playwright/test'

const at = (day: number) => `2026-11-${day.toString().padStart(2, '0')}T08:30:00.000000Z`

/** An admin of two projects looks after people of these names. */
export async function askWho(page: Page, names: string[]) {
  const [me = 'ann', ...others] = names
  const session: Session = {
    all_projects: true,
    method: 'password',
    project: 'default',
    projects: ['default', 'search'],
    role: 'admin',
    session: 's1',
    user: me,
  }
  const users: UserList = {
    users: names.map((name, i) => ({
      created: at(i + 1),
      name,
      project: i % 2 ? 'search' : null,
      role: (['admin', 'editor', 'viewer'] as const)[i % 3]!,
    })),
  }
  const keys: KeyList = {
    keys: names.map((name, i) => ({
      created: at(i + 1),
      id: `k${i}`,
      label: `${name} collector`,
      project: i % 2 ? 'search' : 'default',
      revoked: null,
      scope: (['ingest', 'read', 'metrics'] as const)[i % 3]!,
      used: i % 2 ? at(20) : null,
    })),
  }
  const sessions: SessionList = {
    sessions: names.map((user, i) => ({
      created: at(i + 1),
      ends: at(28),
      id: `s${i + 1}`,
      method: i % 2 ? 'openid' : 'password',
      peer: '10.0.4.17',
      project: i % 2 ? 'search' : null,
      role: (['admin', 'editor', 'viewer'] as const)[i % 3]!,
      used: at(21),
      user,
    })),
  }
  const audit: Audit = {
    acts: others.map((name, i) => ({
      act: ['user.create', 'key.create', 'login', 'user.remove'][i % 4]!,
      actor: `user ${me}`,
      at: at(21 - (i % 20)),
      peer: '10.0.4.17',
      project: i % 2 ? 'search' : null,
      result: i % 4 === 2 ? 'wrong password' : 'done',
      target: name,
    })),
    next: null,
  }
  const projects: ProjectList = {
    projects: [
      { name: 'default', created: null },
      { name: 'search', created: at(3) },
    ],
  }
  const answers = { session, users, keys, sessions, audit, projects }
  for (const [path, json] of Object.entries(answers))
    await page.route(
      (url) => url.pathname === `/api/v1/${path}`,
      (route) => route.fulfill({ json }),
    )
  await page.route('**/api/v1/login', (route) => route.fulfill({ json: { required: true, password: true } }))
}
