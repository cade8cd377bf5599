import { describe, expect, it } from '@jest/globals';
import { NotFoundException } from '@nestjs/common';

import { type ReportJob, ReportJobStore } from './report-job.store.js';

function job(id: string): ReportJob {
  return { id, createdAt: new Date(0), source: 'a test', files: [] };
}

describe('ReportJobStore', () => {
  it('keeps the last 100 jobs', () => {
    const store = new ReportJobStore();
    for (let index = 0; index <= 100; index += 1) {
      store.add(job(`job-${index}`));
    }
    expect(() => store.get('job-0')).toThrow(NotFoundException);
    expect(store.get('job-1').id).toBe('job-1');
    expect(store.get('job-100').id).toBe('job-100');
  });
});
