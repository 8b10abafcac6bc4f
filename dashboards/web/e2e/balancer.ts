// Stands in front of one collector at a time, as a balancer does: what it moves away from loses its connections.

import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'

export class Balancer {
  private readonly server: Server
  private readonly open = new Set<Socket>()
  private target: URL | null

  private constructor(target: string) {
    this.target = new URL(target)
    this.server = createServer((client) => this.pass(client))
  }

  static async before(target: string): Promise<Balancer> {
    const balancer = new Balancer(target)
    await new Promise<void>((listening) => balancer.server.listen(0, '127.0.0.1', listening))
    return balancer
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`
  }

  /** To another collector; null: nothing answers any more. */
  move(target: string | null) {
    this.target = target === null ? null : new URL(target)
    for (const socket of this.open) socket.destroy()
  }

  close() {
    this.move(null)
    this.server.close()
  }

  private pass(client: Socket) {
    if (!this.target) return client.destroy()
    const collector = connect(Number(this.target.port), this.target.hostname)
    for (const [one, other] of [
      [client, collector],
      [collector, client],
    ] as const) {
      this.open.add(one)
      one.pipe(other)
      one.on('error', () => other.destroy())
      one.on('close', () => {
        this.open.delete(one)
        other.destroy()
      })
    }
  }
}
