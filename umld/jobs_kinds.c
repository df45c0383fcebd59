/*
 * What becomes of a job whose daemon died, kind by kind. docs/events.md tells the same to users.
 */
#include "umld/guest.h"
#include "umld/jobs.h"

#include <string.h>

static const struct job_kind kinds[] = {
    /* The wish is stored and the machine finishes or undoes it: the job ends as the guest does. */
    {
        .name = "guest.start",
        .rule = JOB_RESUMED,
        .text = "the guest was removed",
        .steps = {"preparing", "booting", "running"},
        .cancel = guest_job_cancel_start,
        .resume = guest_job_resume,
    },
    {
        .name = "guest.stop",
        .rule = JOB_RESUMED,
        .text = "the guest was removed",
        .steps = {"stopping", "killing", "releasing"},
        .cancel = guest_job_cancel_stop,
        .resume = guest_job_resume,
    },
    /* Nobody holds its guests down any more: guests_adopt() starts again what is wanted up. */
    {
        .name = "host.shutdown",
        .rule = JOB_FAILED,
        .text = "the daemon ended in the middle of it, and the next one has started again what it "
                "had stopped: shut down once more",
    },
    /* The builder ended with the daemon; images_recover() removes its file. */
    {
        .name = "image.build",
        .rule = JOB_ROLLED_BACK,
        .text = "the daemon ended while it was built, what there was of it is removed: build it "
                "again",
    },
    /* The probe's guest is ended by guests_adopt(); nothing was found out. */
    {
        .name = "kernel.probe",
        .rule = JOB_FAILED,
        .text = "the daemon ended while it was probed: probe it again",
        .no_cancel = "it ends by itself within two minutes",
    },
};

const struct job_kind *job_kind(const char *name)
{
    static const struct job_kind other = {
        .name = "",
        .rule = JOB_FAILED,
        .text = "the daemon ended while it ran: start it again",
        .no_cancel = "wait for its end",
    };

    for (size_t i = 0; i < UM_ARRAY_LEN(kinds); i++)
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    return &other;
}
