// The parts of ECharts that are used, and no others. Loaded when the first chart appears.

import { BarChart, LineChart } from 'echarts/charts'
import { GridComponent } from 'echarts/components'
import { init, use } from 'echarts/core'
import { CanvasRenderer } from 'echarts/renderers'

use([BarChart, LineChart, GridComponent, CanvasRenderer])

export { init }
export type { EChartsType } from 'echarts/core'
